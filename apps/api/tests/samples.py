"""What `/metrics` says, taken apart."""

from prometheus_client.parser import text_string_to_metric_families


class Samples:
    """One scrape; every value by its name and labels."""

    def __init__(self, text: str) -> None:
        self._families = list(text_string_to_metric_families(text))
        self._values = {
            (s.name, frozenset(s.labels.items())): s.value
            for family in self._families
            for s in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]

    def of(self, name: str) -> list[dict[str, str]]:
        """The label sets that there are of a name."""
        return [dict(labels) for found, labels in self._values if found == name]

    @property
    def names(self) -> set[str]:
        """As expressions name them, with `_total`, `_bucket`, `_sum` and `_count`."""
        return {name for name, _ in self._values}

    @property
    def families(self) -> dict[str, str]:
        """What each metric is: counter, gauge or histogram."""
        return {family.name: family.type for family in self._families}
