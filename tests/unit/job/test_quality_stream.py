"""The stream of events that the quality page is measured on."""

import json

from tests.quality.stream import NAMES, build_lines


def test_stream_has_the_columns_of_scored_events_and_is_repeatable() -> None:
    first, again = list(build_lines(3, 50)), list(build_lines(3, 50))
    assert first == again != list(build_lines(4, 50))
    event = json.loads(first[0])
    assert event["features_json"]["amount"] == event["amount"]
    assert sorted(event["features_json"]) == list(NAMES)
    assert {
        "timestamp",
        "anomaly_score",
        "is_anomaly",
        "anomaly_label",
        "amount_vs_user_avg",
    } < set(event)
