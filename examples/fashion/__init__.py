"""The experiments on Fashion-MNIST: the data, the tasks, the training, and a module for each."""
