"""Reads the live model and scores new events, as a scoring service does.

Needs river, redis and psycopg2, and nothing of the operator. The class of the deviation score must
be importable under the name in `trainer.deviationClass`.

    REDIS_URL, DATABASE_URL   where model and events are
    SIGNING_KEY               with it, only signed models are loaded
    SIGNING_KEY_PREVIOUS      the former key, while the key changes
    FOLLOW                    if set, each new model is loaded as soon as it is live
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
MODEL, VERSION = "active_model", "model_version"
SUFFIX_BYTES = len(',"signature":""}') + 64


class RefusedModelError(Exception):
    """The model in Redis is not loaded. The text says why."""


class Reader:
    """Holds the live model. It never goes back to an older one than it has had.

    Args:
        store: The Redis client.
        keys: The signing keys that are accepted. Without any, signatures are not checked.
    """

    def __init__(self, store, keys=()):
        self.store, self.keys = store, [key.strip() for key in keys if key]
        self.model, self.version, self.manifest, self.epoch = None, None, None, 0

    def refresh(self):
        """Load the live model if it is another one. Returns its size in bytes, 0 if it is not.

        Raises:
            RefusedModelError: It must not be loaded. The model of before stays.
        """
        # One MGET: version, model and manifest belong together.
        version, blob, text = self.store.mget(VERSION, MODEL, f"{MODEL}:meta")
        if blob is None:
            raise RefusedModelError("There is no live model.")
        version = (version or b"").decode()
        if text and (version, text) == (self.version, self.manifest):
            return 0
        if self.keys:
            self.check_signature(version, text or b"")
        manifest = json.loads(text or b"{}")
        if self.keys and hashlib.sha256(blob).hexdigest() != manifest["pickle_sha256"]:
            raise RefusedModelError(f"The live model, version {version}, is not the signed one.")
        # Another program may have put a model there. It has no manifest of its own.
        if str(manifest.get("version")) == version:
            if manifest["epoch"] < self.epoch:
                raise RefusedModelError(
                    f"The live model, version {version} with epoch {manifest['epoch']}, is older "
                    f"than version {self.version} with epoch {self.epoch}. It was not loaded."
                )
            self.epoch = manifest["epoch"]
        # Unpickling can run any code that the pickle contains. Therefore the checks come first.
        self.model = pickle.loads(blob)  # noqa: S301
        self.version, self.manifest = version, text
        return len(blob)

    def check_signature(self, version, text):
        """Check that the trainer has signed the manifest of this version, to the last byte."""
        payload, suffix = text[:-SUFFIX_BYTES], text[-SUFFIX_BYTES:]
        header = f"retraining-signature 2\nmanifest\n{MODEL}\n{version}\n".encode()
        for key in self.keys:
            digest = hmac.new(key.encode(), header + payload, hashlib.sha256).hexdigest()
            if hmac.compare_digest(suffix, f',"signature":"{digest}"}}'.encode()):
                return
        raise RefusedModelError(
            f"The live model, version {version}, is not signed with this key. It was not loaded."
        )


def score_fresh_events(model):
    """Score the newest events and print the alerts."""
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT features_json, anomaly_label FROM scored_events"
            " ORDER BY timestamp DESC LIMIT %s",
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


def main():
    """Read the live model, score events, and follow changes if FOLLOW is set."""
    store = redis.Redis.from_url(os.environ["REDIS_URL"])
    keys = os.environ.get("SIGNING_KEY"), os.environ.get("SIGNING_KEY_PREVIOUS")
    reader, listener = Reader(store, keys), store.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"{MODEL}:changes")
    while True:
        try:
            if size := reader.refresh():
                parts = " and ".join(type(part).__name__ for part in reader.model.values())
                print(f"Read version {reader.version}, {size / 1e6:.1f} MB: {parts}.")
                score_fresh_events(reader.model)
        except RefusedModelError as error:
            if reader.model is None:
                raise SystemExit(str(error)) from None
            print(f"{error} Going on with version {reader.version}.")
        if not os.environ.get("FOLLOW"):
            return
        listener.get_message(timeout=60)  # a notice can be lost, so look without one, too


if __name__ == "__main__":
    main()
