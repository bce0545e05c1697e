"""Open answers without what identifies a person: addresses, numbers and accounts give way to a word in brackets.

Names and postal addresses cannot be told from other words by their form and stay; a reader must know that.
Masking too much is the smaller fault: a hidden product number costs a word, a printed phone number costs trust.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

_FLAGS = re.ASCII | re.IGNORECASE          # Chinese letters end a word here: 电话138… begins a number

# one character for one character, so that a place in the plain text is the same place in the text as written
_PLAIN = {0xFF01 + i: 0x21 + i for i in range(94)} | dict.fromkeys(map(ord, "\u3000\xa0\u2002\u2003\u2009\u202f"), " ")
_PLAIN |= dict.fromkeys(map(ord, "‐‑‒–—―−·•・"), "-") | dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"), " ")

_GAP = r"[ \t.\-_]?"
_LATIN = r"A-Za-z0-9À-ɏ"
_HANZI = "[零〇一幺二两三四五六七八九]{11,}"
_WECHAT = "微信|薇信|v信|加v|wechat|weixin|vx|wx"
# most answers hold none of these and are left alone at once
_WORTH_A_LOOK = re.compile(rf"[0-9@:/]|www|[(\[]at[)\]]|{_WECHAT}|{_HANZI}", re.IGNORECASE)
_YEARS = re.compile(r"(?:(?:19|20)[0-9]{2}(?:[ -][01]?[0-9](?:[ -][0-3]?[0-9])?)?(?:[ -]|$))+")


def _address(found: re.Match[str]) -> bool:
    """Whether it is an IP address of version 6; a time of day looks like one to a pattern."""
    try:
        return ipaddress.ip_address(found[0].rstrip(".")).version == 6 and any(c.isalnum() for c in found[0])
    except ValueError:
        return False


def _dialled(found: re.Match[str]) -> bool:
    return 8 <= sum(c.isdigit() for c in found[0]) <= 17


def _long_number(found: re.Match[str]) -> bool:
    """Whether digits in groups are one number, as on a bank card: 13 or more of them, and not years or dates."""
    return sum(c.isdigit() for c in found[0]) >= 13 and not _YEARS.fullmatch(found[0])


def _account(found: re.Match[str]) -> bool:
    """After a bare "WeChat" only what looks like a handle is one: it holds a digit or an underscore."""
    return bool(found["sign"]) or bool(re.search(r"[0-9_]", found["handle"]))


def _any(found: re.Match[str]) -> bool:
    return True


Pattern = tuple[str, re.Pattern[str], Callable[[re.Match[str]], bool]]
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_DATE = r"(?:18|19|20)[0-9]{2}[ -]?(?:0[1-9]|1[0-2])[ -]?(?:0[1-9]|[12][0-9]|3[01])"
# in this order: what an earlier one took, a later one does not see
_PATTERNS: list[Pattern] = [(kind, re.compile(pattern, _FLAGS), holds) for kind, pattern, holds in [
    ("link", r"(?<![a-z0-9])(?:(?:https?|ftp)://|www\.)[a-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*[a-z0-9/=#&~_%+\-]", _any),
    ("e-mail", rf"[{_LATIN}_.+%'-]{{1,64}} ?(?:@|\(at\)|\[at\]) ?[{_LATIN}-]{{1,63}}"
               rf"(?:(?:\.| ?\(dot\) ?| ?\[dot\] ?)[{_LATIN}-]{{1,63}})+", _any),
    ("link", r"(?<![a-z0-9.-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,20}/[a-z0-9\-._~:/?#@!$&'*+,;=%]+", _any),
    ("account", r"(?<![a-z])wxid_\w+", _any),
    ("account", rf"(?<![a-z])(?:{_WECHAT})(?P<sign>(?: ?(?:号码|账号|帐号|号|id\b|[:=]|是|为))*)"
                r" ?(?:is )?(?P<handle>[a-z_][\w-]{4,29})", _account),
    ("account", r"(?<![a-z])qq(?: ?(?:群|号码|账号|帐号|号|id|no\.?|number|[:=]|是|为|is))* ?[1-9][0-9]{4,11}(?![0-9])",
     _any),
    ("ip", rf"(?<![0-9.]){_BYTE}(?:\.{_BYTE}){{3}}(?!\.?[0-9])", _any),
    ("ip", r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?", _address),
    ("id", rf"(?<![0-9])[1-9][0-9]{{5}}[ -]?{_DATE}[ -]?[0-9]{{3}}[0-9x](?![0-9])", _any),
    ("id", r"(?<![0-9])[1-9][0-9]{16}x(?![0-9a-z])", _any),
    ("card", r"(?<![0-9])[1-9][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{1,4})?(?![0-9])", _long_number),
    ("phone", r"(?<![0-9.,])(?:\+|00) ?[1-9](?:[ .()\-]{0,2}[0-9]){6,15}(?![0-9])", _dialled),
    ("phone", rf"(?<![0-9])(?:\+?86{_GAP})?1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}(?![0-9])", _any),
    ("phone", r"(?<![0-9])\(?0[0-9]{2,4}\)?[ .-]?[0-9]{3,4}[ .-]?[0-9]{3,4}(?:(?: ?(?:转|ext\.?|x|-) ?)[0-9]{1,6})?"
              r"(?![0-9])", _dialled),
    ("phone", r"(?<![0-9])\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4}(?![0-9])", _any),
    ("phone", r"(?<=电话|手机|座机|热线)(?:号码|号)?[ :是]{0,2}\+?[0-9](?:[ ()-]?[0-9]){6,14}(?![0-9])", _any),
    ("phone", r"(?<![a-z])(?:tel|phone|mobile|cell|fax|call(?: me)?)(?: number| no| on| at| is|\.|:){0,3} ?"
              r"\(?[0-9](?:[ ()-]?[0-9]){6,14}(?![0-9])", _any),
    ("phone", _HANZI, _any),
    ("card", r"[0-9]{11,}", _any),
    ("card", r"(?<![0-9])[0-9]{3,}(?:[ -][0-9]{2,})+(?![0-9])", _long_number),
]]
KINDS = tuple(dict.fromkeys(kind for kind, _, _ in _PATTERNS))


@dataclass(frozen=True)
class Masked:
    """Open answers fit to be stored: the texts with their index, and how often each kind was masked."""

    texts: pd.Series
    counts: Mapping[str, int]


def mask(texts: pd.Series) -> Masked:
    """Replace e-mail addresses, links, accounts, IP addresses, identity, phone and card numbers by ``[kind]``.

    Parameters
    ----------
    texts
        Open answers as text; what is empty or missing stays so.

    Returns
    -------
    The masked texts and the number of replacements by kind, kinds without any included.
    """
    counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    out = [_masked(text, counts) if isinstance(text, str) else text for text in texts]
    return Masked(pd.Series(out, index=texts.index, name=texts.name, dtype=texts.dtype), dict(counts))


def _masked(text: str, counts: Counter[str]) -> str:
    plain = text.translate(_PLAIN)
    if not _WORTH_A_LOOK.search(plain):
        return text
    for kind, pattern, holds in _PATTERNS:
        for found in reversed([m for m in pattern.finditer(plain) if holds(m)]):
            first, last = found.span("handle") if "handle" in pattern.groupindex else found.span()
            text = f"{text[:first]}[{kind}]{text[last:]}"
            plain = f"{plain[:first]}[{kind}]{plain[last:]}"
            counts[kind] += 1
    return text
