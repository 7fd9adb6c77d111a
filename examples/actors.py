"""Actors: tasks that share warm workers, and what those keep loaded.

    windlass run examples/actors.py classify

Every task of an environment runs in one of its replicas, which stay warm for a while; `actor_cache` keeps what is dear
to load (a model, a connection) in the worker's process. Here the tasks run in this process, and load it once as well.
"""

from windlass import ActorEnvironment, Resources, actor_cache, workflow

pool = ActorEnvironment(
    name="words",
    replica_count=2,
    ttl_seconds=300,
    requests=Resources(cpu="100m", mem="128Mi"),
)


@actor_cache
def model(language: str) -> dict[str, str]:
    print(f"loading the model for {language}")
    return {"windlass": "noun", "haul": "verb"}


@pool.task
def kind_of(word: str, language: str) -> str:
    return model(language).get(word, "unknown")


@pool.task(retries=1)
def line(word: str, kind: str) -> str:
    return f"{word}: {kind}"


@workflow
def classify(language: str = "en") -> list[str]:
    return [line(word=word, kind=kind_of(word=word, language=language)) for word in ("windlass", "haul", "xyzzy")]
