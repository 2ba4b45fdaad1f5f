"""Access to the API over the network: tokens, roles and quotas."""
