"""The running system as a person reaches it: kubectl, Helm, and the services behind them. Used by demo and e2e tests."""
