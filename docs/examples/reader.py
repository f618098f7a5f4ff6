"""Reads the live model and scores new events, as a scoring service does.

Needs river, redis and psycopg2, and nothing of the operator. The class of the deviation score must
be importable under the name in `trainer.deviationClass`.
"""

import hashlib
import hmac
import json
import os
import pickle

import psycopg2
import redis

FRESH = 200
THRESHOLD = 0.7


def check(blob, version, manifest, key, name="active_model"):
    """Refuse a model that the trainer has not signed.

    Unpickling can run any code that the pickle contains. Therefore the check comes first.
    """
    meta = json.loads(manifest or "{}")
    digest = hashlib.sha256(blob).hexdigest()
    line = f"retraining-model 1 {name} {version.decode()} {digest} {meta.get('state_sha256', '')}"
    signature = hmac.new(key.encode(), line.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), str(meta.get("signature")).encode()):
        raise SystemExit(
            f"The live model, version {version.decode()}, is not signed with this key. "
            "It was not loaded."
        )


store = redis.Redis.from_url(os.environ["REDIS_URL"])
# One MGET: version, model and manifest belong together.
version, blob, manifest = store.mget("model_version", "active_model", "active_model:meta")
if key := os.environ.get("SIGNING_KEY"):
    check(blob, version, manifest, key)
model = pickle.loads(blob)  # noqa: S301
parts = " and ".join(type(part).__name__ for part in model.values())
print(f"Read version {version.decode()}, {len(blob) / 1e6:.1f} MB: {parts}.")

with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
    cursor.execute(
        "SELECT features_json, anomaly_label FROM scored_events ORDER BY timestamp DESC LIMIT %s",
        (FRESH,),
    )
    events = cursor.fetchall()

flagged = []
for number, (features, label) in enumerate(events):
    score = 0.7 * model["hst"].score_one(features) + 0.3 * model["sad"].score_one(features)
    if score > THRESHOLD:
        flagged.append((score, number, label))

right = sum(label for *_, label in flagged)
print(
    f"The model raises an alert for {len(flagged)} of the {len(events)} newest events; "
    f"{right} of these are labelled as anomalies."
)
for score, number, label in sorted(flagged, reverse=True)[:5]:
    print(f"  event {number:3d}, counted from the newest: score {score:.3f}, label {label}")
