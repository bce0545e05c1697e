"""Populations with a known truth: the demo's market, samples of it, and what is true of it.

Nothing here estimates; the rest of the library is tried against what this room states.
``python -m tcslib.simulate`` writes the demo's file of answers and its truth anew, byte for byte.
"""

from tcslib.simulate.classroom import as_responses, draw_customers, draw_from_stores
from tcslib.simulate.market import BRANDS, ITEMS, MARGINS, NAMES, PATHS, REGIONS, Market
from tcslib.simulate.sample import Survey, draw_answers, draw_survey, dress
from tcslib.simulate.soil import Soiled, demo, soil
from tcslib.simulate.truth import Truth, estimand, truth

__all__ = ["BRANDS", "ITEMS", "MARGINS", "NAMES", "PATHS", "REGIONS", "Market", "Soiled", "Survey", "Truth",
           "as_responses", "demo", "draw_answers", "draw_customers", "draw_from_stores", "draw_survey", "dress",
           "estimand", "soil", "truth"]
