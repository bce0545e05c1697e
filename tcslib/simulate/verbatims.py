"""The demo's open answers, from the stock in verbatims.yaml."""

from pathlib import Path

from tcslib.study.strict_yaml import read_yaml

_READ = read_yaml(Path(__file__).with_suffix(".yaml"), "verbatims.yaml")[0]
STOCK: dict[str, dict[str, tuple[str, ...]]] = {
    tone: {language: tuple(texts) for language, texts in stock.items()} for tone, stock in _READ["stock"].items()}
PRIVATE: tuple[str, ...] = tuple(_READ["private"])
MARKUP: tuple[str, ...] = tuple(_READ["markup"])
