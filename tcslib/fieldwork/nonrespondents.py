"""Who was drawn and did not respond: kept without answers, because weights are adjusted by what is known of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.fieldwork.source import listed, quoted
from tcslib.study.load import Study


def who_responded(frame: pd.DataFrame, study: Study) -> np.ndarray:
    """(n,) True for interviews; everyone, where the study says nothing of non-respondents.

    Raises
    ------
    InputRefused
        When no record has a status that means an interview.
    """
    given = study.params.weighting.nonresponse
    if given is None:
        return np.ones(len(frame), dtype=bool)
    came: np.ndarray = frame[given.status].isin(given.responded).to_numpy()
    if not came.any():
        raise InputRefused(f'no record has {listed([quoted(v) for v in given.responded])} in column "{given.status}", '
                           f"which holds {listed([quoted(v) for v in sorted(frame[given.status].unique())], 6)}. "
                           "Correct it.", f"{study.path}: weighting.nonresponse.responded")
    return came


def background_of(frame: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The text columns kept beside the answers; numbers that weighting needs are written out in full."""
    params = study.params
    columns = dict.fromkeys(filter(None, [*params.weighting.columns, *params.compare.segments, params.compare.brand,
                                          *(rule.column for rule in params.policy), params.design.strata]))
    numbers = {c: frame[c].map(lambda v: "" if np.isnan(v) else repr(float(v))) for c in params.weighting.numeric}
    return frame.assign(**numbers)[list(columns)]
