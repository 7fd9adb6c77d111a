"""Other languages: a container with any program, and a shell script, as tasks.

    windlass run examples/containers.py greet --name Ada           # needs docker or podman here; a cluster does not
    windlass run examples/containers.py shout --text hello

A container task gets its inputs on the command line (`{{.inputs.name}}`) and as files, and leaves its outputs as files.
Its image needs neither Python nor anything of Windlass: `longest_word` holds one program, made by Go, and nothing else
(`podman build -t localhost/windlass-longest-word:1 examples/longest_word`).
"""

from windlass import ContainerTask, Resources, ShellTask, kwtypes, task, workflow

greeting = ContainerTask(
    name="greeting",
    image="bash:5.3",
    inputs=kwtypes(name=str, times=int),
    outputs=kwtypes(text=str, length=int),
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    command=["bash", "-c"],
    arguments=[
        "for ((i = 0; i < {{.inputs.times}}; i++)); do printf 'Hello, {{.inputs.name}}! '; done > /var/outputs/text;"
        " wc -c < /var/outputs/text > /var/outputs/length"
    ],
    resources=Resources(cpu="100m", mem="64Mi"),
)

longest_word = ContainerTask(
    name="longest-word",
    image="localhost/windlass-longest-word:1",
    inputs=kwtypes(text=str, ignored=list[str]),
    outputs=kwtypes(word=str, length=int, lengths=dict[str, int]),
    command=["/longest-word", "/var/inputs", "/var/outputs"],
)

upper = ShellTask(
    name="upper",
    script="""
    set -eu
    printf '%s' "{inputs.text}" | tr '[:lower:]' '[:upper:]'
    """,
    inputs=kwtypes(text=str),
)


@task
def describe(text: str, length: int) -> str:
    return f"{text.strip()} ({length})"


@workflow
def greet(name: str = "world", times: int = 2) -> str:
    text, length = greeting(name=name, times=times)
    return describe(text=text, length=length)


@workflow
def longest(text: str = "small programs, remarkable images") -> str:
    word, length, _ = longest_word(text=text, ignored=["remarkable"])
    return describe(text=word, length=length)


@workflow
def shout(text: str = "hello") -> None:
    upper(text=text)
