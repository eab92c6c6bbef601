"""What can be put around any optimizer: one file each, and the folder listing is the registry."""
