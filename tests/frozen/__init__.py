"""How the frozen files of bench/data/files are made."""
