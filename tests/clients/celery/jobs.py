"""The application that the Celery tests run: its tasks write what happened to a file of lines.

The broker is told nothing but `sqs://`: the endpoint, the region and the key come from the
environment, as boto3 has them.
"""

import ast
import os
import signal

from celery import Celery

app = Celery("jobs", broker=os.environ.get("JOBS_BROKER", "sqs://"))
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "queue_name_prefix": os.environ["JOBS_PREFIX"],
        "visibility_timeout": 60,
        "wait_time_seconds": 1,
        "polling_interval": 0,
        **ast.literal_eval(os.environ.get("JOBS_OPTIONS", "{}")),
    },
    broker_connection_retry_on_startup=True,
    task_default_queue="default",
    task_routes={"jobs.press": {"queue": "press"}},
    worker_prefetch_multiplier=1,
)


def write(line):
    """Appends a line: one write of less than a page, which other processes do not tear."""
    with open(os.environ["JOBS_FILE"], "a", encoding="utf-8") as file:
        file.write(line + "\n")


@app.task
def note(text):
    write(text)


@app.task
def press(fruit):
    write(f"pressed {fruit}")


@app.task(bind=True, max_retries=3)
def stubborn(self, text):
    write(f"{text} {self.request.retries}")
    if self.request.retries < 2:
        raise self.retry(countdown=0)


@app.task(acks_late=True, acks_on_failure_or_timeout=False)
def third_time_lucky(text):
    """Fails, and is not acknowledged, until it was begun twice before."""
    write(text)
    with open(os.environ["JOBS_FILE"], encoding="utf-8") as file:
        if file.read().splitlines().count(text) < 3:
            raise ValueError(text)


@app.task(acks_late=True)
def fatal_once(text, marker):
    """Kills its whole worker, which has no time to say anything, unless it was here before."""
    write(f"{text} begun")
    if not os.path.exists(marker):
        open(marker, "x").close()
        os.killpg(0, signal.SIGKILL)
    write(f"{text} done")
