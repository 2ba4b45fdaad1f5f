"""Translation between the domain's types and the public proto, one module per noun."""
