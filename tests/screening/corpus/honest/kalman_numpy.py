"""A Kalman filter in plain numpy."""

import numpy as np
from zipline.api import order_target_percent, record, symbol


class KalmanTrend:
    """Level and slope of a series."""

    def __init__(self, level_noise=1e-3, slope_noise=1e-5, noise=1e-1):
        self.state = np.zeros(2)
        self.covariance = np.eye(2)
        self.transition = np.array([[1.0, 1.0], [0.0, 1.0]])
        self.process = np.diag([level_noise, slope_noise])
        self.noise = noise

    def update(self, value):
        state = self.transition @ self.state
        covariance = self.transition @ self.covariance @ self.transition.T + self.process
        gain = covariance[:, 0] / (covariance[0, 0] + self.noise)
        self.state = state + gain * (value - state[0])
        self.covariance = covariance - np.outer(gain, covariance[0])
        return self.state


def initialize(context):
    context.asset = symbol("IBM")
    context.filter = KalmanTrend()
    context.seen = 0


def handle_data(context, data):
    price = data.current(context.asset, "price")
    if np.isnan(price):
        return
    level, slope = context.filter.update(np.log(price))
    context.seen += 1
    record(level=level, slope=slope)
    if context.seen < 60:
        return
    target = float(np.tanh(slope * 500.0))
    if abs(target) > 0.1:
        order_target_percent(context.asset, max(target, 0.0))
