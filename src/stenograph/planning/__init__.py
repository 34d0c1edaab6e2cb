"""What a pipeline would change in its warehouse, found before it does.

Changes nothing: `stenograph.assembly` applies what is found here.
"""

from stenograph.planning.forecast import Forecast, State, forecasts
from stenograph.planning.render import render_applied, render_plan, statements_of

__all__ = ["Forecast", "State", "forecasts", "render_applied", "render_plan", "statements_of"]
