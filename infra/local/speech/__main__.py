"""The speech server: python -m infra.local.speech --port 8126 [--scripted]."""

import argparse
import logging
import sys

import uvicorn

from infra.local.speech.server import Options, RecognizerFactory, create_app

# A paid account at AssemblyAI runs 200 jobs at a time. The local engine uses all cores for one job.
SCRIPTED_CONCURRENCY = 200
ENGINE_CONCURRENCY = 1


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; return 2 if the model's weights are missing or wrong."""
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s speech %(message)s")
    # httpx would log the audio URLs with their signatures.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # logs lack job ids
    factory = _scripted(args) if args.scripted else _engine()
    if factory is None:
        return 2
    options = Options(
        concurrency=SCRIPTED_CONCURRENCY if args.scripted else ENGINE_CONCURRENCY,
        scripted=args.scripted,
        webhooks=args.webhooks,
        webhook_retry_s=args.webhook_retry_s,
    )
    uvicorn.run(
        create_app(options, factory),
        host="127.0.0.1",
        port=args.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="infra.local.speech", description=__doc__)
    parser.add_argument("--port", type=int, default=8126)
    parser.add_argument("--scripted", action="store_true", help="no speech recognition: scripts")
    parser.add_argument("--delay-s", type=float, default=0.2, help="scripted: seconds a job takes")
    parser.add_argument("--no-fetch", dest="fetch", action="store_false", help="scripted: no GET")
    parser.add_argument("--no-webhooks", dest="webhooks", action="store_false")
    parser.add_argument("--webhook-retry-s", type=float, default=10.0)
    return parser


def _scripted(args: argparse.Namespace) -> RecognizerFactory:
    from infra.local.speech.scripted import ScriptedRecognizer

    return lambda fetcher, scripts: ScriptedRecognizer(
        scripts, fetcher if args.fetch else None, delay_s=args.delay_s
    )


def _engine() -> RecognizerFactory | None:
    # Imported here, so that scripted mode, which does not need these packages, starts fast.
    from infra.local.speech.engine import Engine, EngineRecognizer
    from infra.local.speech.weights import WeightsError

    try:
        engine = Engine.load()
    except WeightsError as error:
        print(error, file=sys.stderr)
        return None

    return lambda fetcher, _: EngineRecognizer(engine, fetcher)


if __name__ == "__main__":
    sys.exit(main())
