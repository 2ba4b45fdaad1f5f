"""Charts as inline SVG: lines, dots and heat maps over one pair of axes."""
