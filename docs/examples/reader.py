"""Reads the live model and scores fresh events, as the scoring service does. Needs river, redis and psycopg2.

Plain river and plain pickle: nothing of the operator's is called. The class of the deviation score has to be importable
under the name that the setting `trainer.deviationClass` gives.
"""

import os
import pickle

import psycopg2
import redis

FRESH = 200
THRESHOLD = 0.7

store = redis.Redis.from_url(os.environ["REDIS_URL"])
version, blob = store.mget("model_version", "active_model")  # one MGET: version and model belong together
model = pickle.loads(blob)  # noqa: S301
parts = " and ".join(type(part).__name__ for part in model.values())
print(f"Read version {version.decode()}, {len(blob) / 1e6:.1f} MB: {parts}.")

with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT features_json, anomaly_label FROM scored_events ORDER BY timestamp DESC LIMIT %s", (FRESH,))
    events = cursor.fetchall()

flagged = []
for number, (features, label) in enumerate(events):
    score = 0.7 * model["hst"].score_one(features) + 0.3 * model["sad"].score_one(features)
    if score > THRESHOLD:
        flagged.append((score, number, label))

right = sum(label for *_, label in flagged)
print(f"Of the {len(events)} newest events it flags {len(flagged)}; {right} of them are labelled anomalies.")
for score, number, label in sorted(flagged, reverse=True)[:5]:
    print(f"  event {number:3d} of the newest: score {score:.3f}, label {label}")
