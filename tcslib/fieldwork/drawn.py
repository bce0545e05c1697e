"""How the records were drawn: weights, strata, units of every stage, counts on the frame, replicate weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tcslib.errors import InputRefused
from tcslib.fieldwork.source import listed, quoted
from tcslib.survey.design import Design, GivenReplicates, Stage, check_weights
from tcslib.survey.levels import levels

if TYPE_CHECKING:
    from tcslib.fieldwork.cleaning import Work


def design_of(work: Work) -> Design:
    """The sampling design of the records that are left.

    Raises
    ------
    InputRefused
        For empty labels, weights that cannot be used, and frame counts that contradict themselves or the sample.
    """
    params = work.study.params
    stated, weights = params.design, _weights(work)
    stages = tuple(Stage(_labels(work, stage.clusters, f"design.stages.{k}.clusters"),
                         _labels(work, stage.strata, f"design.stages.{k}.strata") if stage.strata else None,
                         _counts(work, stage.fpc, f"design.stages.{k}.fpc") if stage.fpc else None)
                   for k, stage in enumerate(stated.stages, 1))
    design = Design(work.ids.to_numpy().astype(str), weights,
                    _labels(work, stated.strata, "design.strata") if stated.strata else None,
                    _labels(work, stated.clusters, "design.clusters") if stated.clusters else None, params.sample,
                    _counts(work, stated.fpc, "design.fpc") if stated.fpc else None, stages, stated.lonely)
    if stated.clusters and not stated.strata and design.units == 1:
        raise InputRefused(f'column "{stated.clusters}" (design.clusters) holds a single value, '
                           f"{quoted(design.unit_names[1][0])}, so no variance can be told. Name the column of the "
                           "units drawn first, or drop it.", work.where)
    if design.fpc is not None:
        _check_counts(work, design.fpc, design.unit, design.unit_stratum[design.unit], stated.fpc,
                      design.unit_names[0][design.unit])
    try:
        list(levels(design))
    except InputRefused as error:
        raise InputRefused(f"{error.where}: {error.message}", work.where) from None
    return replace(design, given=_given(work, design)) if params.replicates.columns else design


def _weights(work: Work) -> np.ndarray:
    column = work.study.params.design.weights
    if not column:
        return np.ones(len(work.frame))
    weights = work.numbers(column).to_numpy()
    check_weights(weights, column, [int(work.raw.lines[i]) for i in work.frame.index], work.where)
    if (zero := int((weights == 0).sum())):
        work.line("weight_zero", column, rows=0, cells=zero)
    return weights


def _labels(work: Work, column: str, key: str) -> np.ndarray:
    labels = work.frame[column].to_numpy().astype(str)
    if (empty := labels == "").any():
        raise InputRefused(f'column "{column}" ({key}) is empty in {empty.sum()} records ({work.rows(empty)}). Every '
                           "respondent needs one.", work.where)
    return labels


def _counts(work: Work, column: str, key: str) -> np.ndarray:
    """Units on the frame, by row."""
    counts = work.numbers(column).to_numpy()
    if (bad := ~(counts >= 1)).any():
        first = "missing" if np.isnan(counts[bad][0]) else f"{counts[bad][0]:g}"
        records = f"{bad.sum()} record{'s' * bool(bad.sum() > 1)} ({work.rows(bad)})"
        raise InputRefused(f'column "{column}" ({key}) is {first} in {records}; the number of units on the frame is '
                           "expected, 1 or more, no share. Correct it.", work.where)
    return counts


def _check_counts(work: Work, counts: np.ndarray, unit: np.ndarray, stratum: np.ndarray, column: str,
                  names: np.ndarray) -> None:
    """One count for each stratum, and no fewer than were drawn."""
    drawn = np.bincount(stratum[np.unique(unit, return_index=True)[1]])
    for h in range(len(drawn)):
        found, inside = np.unique(counts[stratum == h]), stratum == h
        name = f' in stratum {quoted(names[inside][0])}' if names[inside][0] else ""
        if len(found) > 1:
            raise InputRefused(f'column "{column}" (design.fpc) holds {listed([f"{c:g}" for c in found], 4)}{name}; '
                               "one count is expected: that of the stratum's sampling units on the frame.", work.where)
        if drawn[h] > found[0]:
            raise InputRefused(f'{drawn[h]} sampling units came{name}, and column "{column}" (design.fpc) says that '
                               f"the frame holds {found[0]:g}. Correct the count, or the column of units.", work.where)


def _check_given(work: Work, weights: np.ndarray, given: np.ndarray, columns: list[str]) -> None:
    """Replicates that cannot be those of the final weights: empty, all the same, or factors and not weights."""
    sums = given.sum(axis=0)
    if (empty := np.flatnonzero(sums == 0)).size:
        raise InputRefused(f'replicate weight "{columns[empty[0]]}" is 0 in every record. Drop it from '
                           "replicates.columns, or correct the file.", work.where)
    if (given == given[:, :1]).all():
        raise InputRefused(f"the {len(columns)} replicate weights are equal in every record, so no variance can be "
                           "told. Correct replicates.columns, or the file.", work.where)
    if not 0.5 < (ratio := float(sums.mean() / weights.sum())) < 2:
        raise InputRefused(f"the replicate weights sum to {sums.mean():,.6g} on average, {ratio:.3g} times the sum of "
                           f"the weights, {weights.sum():,.6g}. Final weights are expected, not factors: multiply them "
                           "by the weight.", work.where)


def _given(work: Work, design: Design) -> GivenReplicates:
    """The replicate weights of the file, with their scale and degrees of freedom."""
    params = work.study.params.replicates
    columns = params.given
    given = np.column_stack([work.numbers(column).to_numpy() for column in columns])
    bad = np.asarray(~(given >= 0).all(axis=1))
    if bad.any():
        at = columns[int(np.flatnonzero(~(given[bad][0] >= 0))[0])]
        raise InputRefused(f'replicate weight "{at}" is missing or negative in {work.rows(bad)}; {bad.sum()} records '
                           "have such a weight. Give every respondent all of them.", work.where)
    if ((design.weights == 0) & (given > 0).any(axis=1)).any():
        raise InputRefused("some respondents have the weight 0 and replicate weights above it, so the two do not "
                           "belong together. Correct design.weights.", work.where)
    _check_given(work, design.weights, given, columns)
    df = params.df
    if df is None:          # R survey counts the rank of the replicates where the design is not told
        told = design.strata is not None or design.clusters is not None
        df = design.df if told else int(np.linalg.matrix_rank(given.T @ given, hermitian=True)) - 1
    return GivenReplicates(given, np.full(len(columns), params.scale_of(len(columns))), params.about, df)
