"""What the operator and the trainer agree on: settings, verdicts, exit codes, documents, tables.

The operator writes the environment of the Job's container and reads its exit code and its result
document (the container's termination message). This is the only part of the trainer that the
operator imports, so it must be cheap to import and free of I/O. The exception is `database_login`,
which neither imports unless it uses a database.
"""

from retraining_job.contract.environment import (
    DATABASE_URL,
    ENVIRONMENT_PREFIX,
    REDIS_URL,
    SIGNING_KEY,
    SIGNING_KEY_PREVIOUS,
    environment_name,
    value_name,
)
from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.log_lines import LineFormatter, clean_log_fields
from retraining_job.contract.postgres_errors import POSTGRES_ERRORS, postgres_error
from retraining_job.contract.redis_errors import REDIS_ERRORS, redis_error
from retraining_job.contract.result import (
    MESSAGE_LIMIT_CHARACTERS,
    RESULT_LIMIT_BYTES,
    ContenderMetrics,
    Contenders,
    PartMetrics,
    Result,
    Window,
    read_result,
)
from retraining_job.contract.run_row import (
    UnreadableRowError,
    read_row,
    select_verdict,
)
from retraining_job.contract.run_table import (
    ADDED_COLUMNS,
    CREATE_RUN_TABLE,
    RENAMED_COLUMNS,
    RUN_COLUMNS,
    RUN_TABLE,
    RunColumn,
    operator_upsert,
    trainer_upsert,
    writable_names,
)
from retraining_job.contract.text import (
    LINE_LIMIT_CHARACTERS,
    escape_controls,
    escape_page,
    to_line,
    to_lines,
)
from retraining_job.contract.tunables import (
    Alerts,
    ApprovalAnswer,
    Calibration,
    EvaluationSettings,
    ModelSettings,
    OnInconclusive,
    Preset,
    Promotion,
    PromotionPolicy,
    Scaling,
    Tunables,
)
from retraining_job.contract.verdict import ExitCode, Failure, Verdict, VerdictReason, Withheld
from retraining_job.contract.versions import (
    HIGHEST_VERSION,
    VERSION_RANGE,
    VersionNumber,
    VersionNumberOrNone,
    parse_version,
)

__all__ = [
    "ADDED_COLUMNS",
    "CREATE_RUN_TABLE",
    "DATABASE_URL",
    "ENVIRONMENT_PREFIX",
    "HIGHEST_VERSION",
    "LINE_LIMIT_CHARACTERS",
    "MESSAGE_LIMIT_CHARACTERS",
    "POSTGRES_ERRORS",
    "REDIS_ERRORS",
    "REDIS_URL",
    "RENAMED_COLUMNS",
    "RESULT_LIMIT_BYTES",
    "RUN_COLUMNS",
    "RUN_TABLE",
    "SIGNING_KEY",
    "SIGNING_KEY_PREVIOUS",
    "VERSION_RANGE",
    "Alerts",
    "ApprovalAnswer",
    "Calibration",
    "ContenderMetrics",
    "Contenders",
    "ErrorClass",
    "EvaluationSettings",
    "ExitCode",
    "Failure",
    "LineFormatter",
    "ModelSettings",
    "OnInconclusive",
    "PartMetrics",
    "Preset",
    "Promotion",
    "PromotionPolicy",
    "Result",
    "RunColumn",
    "Scaling",
    "Tunables",
    "UnreadableRowError",
    "Verdict",
    "VerdictReason",
    "VersionNumber",
    "VersionNumberOrNone",
    "Window",
    "Withheld",
    "clean_log_fields",
    "environment_name",
    "escape_controls",
    "escape_page",
    "operator_upsert",
    "parse_version",
    "postgres_error",
    "read_result",
    "read_row",
    "redis_error",
    "select_verdict",
    "to_line",
    "to_lines",
    "trainer_upsert",
    "value_name",
    "writable_names",
]
