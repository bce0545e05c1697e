"""The first screen: the level, what to do first, how sure we are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd
from markupsafe import Markup

from tcslib.compare.waves import detectable
from tcslib.index.importance import FIRST, RISE
from tcslib.report.context import Context
from tcslib.report.views.trend import verdict
from tcslib.report.wording import Words

HIGH, FAIR = 0.95, 0.80          # shares of replicates from which a priority's place is called sure, fairly sure


def summary(context: Context, results: Mapping[str, Any]) -> dict[str, Any]:
    """What the first screen says, every number formatted.

    Parameters
    ----------
    results
        The merged numbers of all stages, as in ``results.json``.
    """
    context = _told(context, results["design"])
    words, index, field = context.words, results["index"], context.study.params.fieldwork
    counted = context.census and "frame" in results["design"]
    actions = results.get("priorities", [])
    target = context.label(index["construct"])
    headline, since = _change(context, results)
    top = _nice(max([a["high"] or a["gain"] for a in actions], default=1.0))
    return {
        "headline": headline or words("summary.headline", target=target, score=words.number(index["score"], 1),
                                      lead=_lead(context, actions, results)),
        "score": words.number(index["score"], 1),
        "ci_name": words("summary.complete") if context.complete else context.ci(),
        "interval": "" if context.complete else words.interval(index["low"], index["high"], 1),
        "seen": since or _next_change(context, index),
        "counts": words("summary.counts_census" if counted else "summary.counts", n=words.number(index["n"], 0),
                        n_eff=words.number(index["n_eff"], 0), **_asked(context, results["design"])),
        "field": words("summary.field", dates=words.dates(field.start, field.end)) if field.start and field.end else "",
        "strip": strip(context, results), "also": _also(context, results),
        "actions_head": words("summary.room_head" if _pathless(context, results) else
                              f"summary.actions_{min(max(len(actions), 1), FIRST)}"),
        "room": _room(context, results) if _pathless(context, results) else [],
        "axis": words("summary.axis", rise=words.number(RISE, 0), top=words.number(top, 1)),
        "actions": [_action(context, a, top) for a in actions], "sure": _sure(context, results)}


def _told(context: Context, design: Mapping[str, Any]) -> Context:
    """The context of a census everybody answered, where standard errors know of it."""
    stated = context.study.params
    known = context.census and stated.replicates.method in ("preston", "jackknife") and not stated.design.stages
    return replace(context, complete=known and design.get("frame") is not None and design["heard"] == design["frame"])


def _asked(context: Context, design: Mapping[str, Any]) -> dict[str, str]:
    """Of a census: how many were asked, as far as that is counted, answered and kept silent."""
    asked = design.get("frame") or design["units"]
    heard = design.get("heard", asked)
    counts = {"asked": asked, "heard": heard, "silent": asked - heard}
    return {name: context.words.number(count, 0) for name, count in counts.items()} | {
        "rate": context.words.share(heard / asked)}


def _pathless(context: Context, results: Mapping[str, Any]) -> bool:
    """Whether no path model was estimated, so that nothing can be said of what to do first."""
    return context.study.params.pls.outer == "equal" and not results.get("paths")


def _room(context: Context, results: Mapping[str, Any]) -> list[str]:
    """The lowest scores of the constructs that are no outcome: where there is most room, whatever it would bring."""
    words, ends = context.words, (context.study.model.target, context.study.model.loyalty)
    rows = sorted((row for row in results["scores"] if row["construct"] not in ends), key=lambda row: row["estimate"])
    return [words("summary.strip", name=context.label(row["construct"]), value=words.number(row["estimate"], 1),
                  interval=words.interval(row["low"], row["high"], 1)) for row in rows[:FIRST]]


def _change(context: Context, results: Mapping[str, Any]) -> tuple[str, str]:
    """The headline and the line beside the index when there is a wave before; both empty when there is none."""
    index, waves = results["index"], results["trend"]
    if len(waves) < 2:
        return "", ""
    context = replace(context, complete=context.complete and waves[-1]["change_se"] == 0)          # both of the waves
    words = context.words
    now, previous = waves[-1], words.wave(waves[-2]["wave"])
    kind = verdict(now, bool(now["marks"]))
    interval = words.interval(now["change_low"], now["change_high"], 1, True)
    said = Markup.escape(words(f"summary.since.{kind}", previous=previous, interval=interval, detectable=words.number(
        now["detectable"], 1), change=words.number(now["change"], 1, True)))
    said = said.replace(interval, Markup('<span class="nb">{}</span>').format(interval))
    return words("summary.headline_change", target=context.label(index["construct"]),
                 score=words.number(index["score"], 1), change=words(f"summary.change.{kind}", previous=previous)), said


def _next_change(context: Context, index: Mapping[str, Any]) -> str:
    """What change a next wave like this one, drawn apart, would show."""
    if not index["se"]:
        return ""
    seen = detectable(math.sqrt(2) * index["se"], index["df"])
    return context.words("summary.seen", points=context.words.number(seen, 1))


def _lead(context: Context, actions: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> str:
    """Where most is to be gained; two names where the replicates do not tell which of them comes first."""
    words, ends = context.words, (context.study.model.target, context.study.model.loyalty)
    rest = [row for row in results.get("scores", []) if row["construct"] not in ends]
    if not actions and rest and context.study.params.pls.outer == "equal":
        lowest = min(rest, key=lambda row: row["estimate"])
        return words("summary.lead_lowest", name=context.label(lowest["construct"]),
                     score=words.number(lowest["estimate"], 1))
    if not actions:
        return words("summary.lead_none")
    if len(actions) > 1 and actions[0]["certainty"] < FAIR:
        return words("summary.lead_two", first=actions[0]["label"], second=actions[1]["label"])
    return words("summary.lead", name=actions[0]["label"])


def _also(context: Context, results: Mapping[str, Any]) -> list[str]:
    words, brand, out = context.words, context.study.params.compare.brand, []
    for row in results.get("brands", []):
        if row["difference"] is not None:
            low, high = row["difference_low"], row["difference_high"]
            clear = low is not None and (low > 0 or high < 0)
            blanks = {"name": context.study.category(brand, row["group"]),
                      "difference": words.number(row["difference"], 1, True),
                      "interval": words.interval(low, high, 1, True)}
            out.append(words("summary.rival_clear" if clear else "summary.rival_unclear", **blanks))
    if policy := results.get("policy"):
        out.append(words("summary.policy", score=words.number(policy["score"], 1),
                         interval=words.interval(policy["low"], policy["high"], 1)))
    if nps := results.get("nps"):
        out.append(words("summary.nps", score=words.number(nps["score"], 0, True),
                         interval=words.interval(nps["low"], nps["high"], 0, True)))
    return out


def _action(context: Context, action: Mapping[str, Any], top: float) -> dict[str, Any]:
    words, certainty = context.words, action["certainty"]
    level = "high" if certainty >= HIGH and (action["low"] or 0) > 0 else "fair" if certainty >= FAIR else "low"
    return {"action": action["action"], "certainty": words(f"summary.certainty.{level}"),
            "now": words("summary.now", score=words.number(action["performance"], 1), rise=words.number(RISE, 0)),
            "gain": words.number(action["gain"], 1, True),
            "interval": words.interval(action["low"], action["high"], 1, True),
            "reruns": words("summary.reruns" if action["among_first"] else "summary.reruns_place",
                            count=_count(words, certainty)),
            "mini": mini_interval(action["gain"], action["low"], action["high"], top)}


def _count(words: Words, share: float) -> str:
    """A share as a count of 100."""
    said = words.share(share).removesuffix("%")
    if said[0] in "<>":
        return words("format.under" if said[0] == "<" else "format.over", count=said[1:])
    return said


def _nice(value: float) -> float:
    """The next round number above a value, for the end of a scale."""
    step = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * m for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * m >= value)


def mini_interval(value: float, low: float | None, high: float | None, top: float) -> Markup:
    """A small interval on a scale from 0 to ``top``, beside the words that say the same."""
    def x(v: float) -> float:
        return 8 + 134 * min(max(v, 0), top) / top

    return Markup('<svg class="mini" viewBox="0 0 150 22" width="150" height="22" aria-hidden="true">'
                  '<path d="M8 11H142" stroke="var(--hair)"/><path d="M8 3V19" stroke="var(--ink-3)"/>'
                  f'{_whisker(x, low, high, 11, 5, "var(--accent)", 2)}'
                  f'<circle cx="{x(value):.1f}" cy="11" r="4" fill="var(--accent)"/></svg>')


def _whisker(x: Callable[[float], float], low: float | None, high: float | None, y: float, cap: float, color: str,
             width: float) -> str:
    """An interval with its caps, or nothing where there is none."""
    if low is None or high is None or high - low <= 1e-9:
        return ""
    ends = "".join(f"M{x(v):.1f} {y - cap:g}v{2 * cap:g}" for v in (low, high))
    return f'<path d="M{x(low):.1f} {y:g}H{x(high):.1f}{ends}" stroke="{color}" stroke-width="{width:g}"/>'


def strip(context: Context, results: Mapping[str, Any]) -> Markup:
    """Construct scores on one 0–100 axis, the target first; on a phone only target and loyalty, to leave room."""
    rows = sorted(results.get("scores", []), key=lambda r: r["construct"] != results["index"]["construct"])
    values = context.values(context.labels(r["construct"] for r in rows), pd.DataFrame(
        rows, columns=["estimate", "low", "high"]))
    alt = context.words("summary.strip_alt", values=values)
    ends = {results["index"]["construct"], context.study.model.loyalty}
    wide = _strip(context, rows, 470, 0.36, alt, "c w")
    narrow = _strip(context, [r for r in rows if r["construct"] in ends], 328, 0.46, alt, "c n")
    return Markup('<div class="strip">') + wide + narrow + Markup("</div>")


def _strip(context: Context, rows: Sequence[Mapping[str, Any]], width: int, left: float, alt: str, css: str) -> Markup:
    start, end, tall = width * left, width - 46.0, 20

    def x(v: float) -> float:
        return start + (end - start) * v / 100

    bottom = 6 + tall * len(rows)
    parts = [f'<path d="M{x(t):.1f} 4V{bottom}" stroke="var(--hair)"/><text x="{x(t):.1f}" y="{bottom + 14}" '
             f'text-anchor="middle" fill="var(--ink-3)">{t}</text>' for t in (0, 50, 100)]
    for i, row in enumerate(rows):
        y, own = 14 + tall * i, i == 0
        color, weight = ("var(--accent)", 700) if own else ("var(--ink-2)", 400)
        label = shortened(context.label(row["construct"]), start - 8, 12 * (1.07 if own else 1))
        parts.append(
            f'<text x="0" y="{y + 4}" font-weight="{weight}" fill="{color}">{escape(label)}</text>'
            f'{_whisker(x, row["low"], row["high"], y, 4, color, 1.8)}'
            f'<circle cx="{x(row["estimate"]):.1f}" cy="{y}" r="3.2" fill="{color}"/>'
            f'<text x="{width}" y="{y + 4}" text-anchor="end" font-weight="{weight}" fill="var(--ink)">'
            f'{context.words.number(row["estimate"], 1)}</text>')
    return Markup(f'<svg class="{css}" viewBox="0 0 {width} {bottom + 18}" style="max-width:{width}px" role="img" '
                  f'aria-label="{escape(alt)}">{"".join(parts)}</svg>')


def shortened(text: str, width: float, size: float) -> str:
    """The text, cut with … where it is wider: Chinese signs are taken for 1 em, others for 0.56."""
    def wide(part: str) -> float:
        return size * sum(1.0 if ord(c) >= 0x2E80 else 0.56 for c in part)

    if wide(text) <= width:
        return text
    return next((text[:k].rstrip() + "…" for k in range(len(text), 0, -1) if wide(text[:k] + "…") <= width), "…")


def _sure(context: Context, results: Mapping[str, Any]) -> list[tuple[str, str]]:
    words, p, index, design = context.words, context.study.params, results["index"], results["design"]
    n, n_eff = words.number(index["n"], 0), words.number(index["n_eff"], 0)
    drawn = p.plan.drawn
    if context.census:
        came = words("summary.response_census" if "frame" in design else "summary.response_plain", n=n,
                     **_asked(context, design))
    elif drawn and p.compare.brand:
        came = words("summary.response_domain", all=words.number(design["rows"], 0), drawn=words.number(drawn, 0),
                     share=words.share(design["rows"] / drawn), n=n, own=context.own)
    elif drawn:
        came = words("summary.response_rate", n=n, drawn=words.number(drawn, 0), share=words.share(index["n"] / drawn))
    else:
        came = words("summary.response_plain", n=n)
    if context.census:
        drawn_how = words("summary.census" if "frame" in design else "summary.census_uncounted",
                          **_asked(context, design))
    elif p.sample in {"quota", "opt_in"}:
        drawn_how = words(f"summary.model_based.{p.sample}")
    elif p.design.strata or p.design.clusters:
        drawn_how = words("summary.design_text", strata=words.number(design["strata"], 0),
                          units=words.number(design["units"], 0), df=words.number(index["df"], 0))
    else:
        drawn_how = words("summary.no_design")
    kind = "clustered" if p.design.clusters else "plain"
    caveats = list(results.get("warnings", []))
    if marks := context.study.unconfirmed:
        caveats.insert(0, words("summary.unconfirmed", count=words.number(len(marks), 0)))
    return [(words("summary.design"), drawn_how), (words("summary.response"), came),
            *([] if context.census else [(words("summary.effective"), words(
                f"summary.effective_{kind}", n=n, n_eff=n_eff, deff=words.number(index["n"] / index["n_eff"], 2)))]),
            (words("summary.caveats"), words.sentences(*caveats) or words("summary.no_caveats"))]
