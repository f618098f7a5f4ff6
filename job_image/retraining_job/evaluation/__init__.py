"""The challenger against the champion: split, evaluate on the hold-out, decide. No I/O."""
