"""What `training.py` compares with: the same network by hand in torch, and with stock skorch."""

import itertools

import torch
from skorch import NeuralNetClassifier


def make_module(n_features, widths, n_classes):
    """Linear layers with ReLU and dropout, and a linear head."""
    sizes = (n_features, *widths)
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], n_classes))


def plain_torch(X, y, widths, epochs, device="cpu"):
    """A loop over tensors that stay on the device, with fused AdamW."""
    X, y = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    module = make_module(X.shape[1], widths, int(y.max()) + 1).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for rows in torch.randperm(len(X), device=device).split(64):
            optimizer.zero_grad()
            loss_of(module(X[rows]), y[rows]).backward()
            optimizer.step()


def stock_skorch(X, y, widths, epochs, device="cpu"):
    """skorch's own classifier as it comes, without its validation split and its printing."""
    NeuralNetClassifier(
        make_module(X.shape[1], widths, int(y.max()) + 1),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__fused=True,
        max_epochs=epochs,
        batch_size=64,
        iterator_train__shuffle=True,
        train_split=None,
        device=device,
        verbose=0,
    ).fit(X, y)
