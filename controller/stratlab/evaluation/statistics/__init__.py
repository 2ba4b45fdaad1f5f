"""Statistics of excess returns, from one Sharpe ratio to the best of all trials.

The modules load numpy and more: whoever uses one imports it where it is needed.
"""
