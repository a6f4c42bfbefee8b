"""What `refork --help` prints. A test keeps it equal to `docs/cli-help.txt`."""

HELP = """\
Run a Python program; run it again, from a clean state, when a file is saved.

usage: refork [OPTIONS] TARGET [ARGS...]
       refork [OPTIONS] -m MODULE [ARGS...]
       refork serve [OPTIONS] MODULE:APP [ARGS...]
       refork explain [FILE]
       refork doctor

TARGET is a .py file, a folder or zip with __main__.py, or a console script
of the environment (flask, uvicorn, celery, pytest, django-admin). A leading
python with its flags is accepted. What follows TARGET goes to the program.

  refork manage.py runserver
  refork -m mypackage --port 8000
  refork python -W error -X dev app.py
  refork flask --app shop run

commands:
  serve MODULE:APP         serve a WSGI or ASGI app, with static files
                           (--bind HOST:PORT, --static /URL=DIR)
  explain [FILE]           what would happen if FILE were saved now, and why
  doctor                   test the watcher; show limits and what slows reloads

what is watched (every file the program loads is, without any option):
  --watch PATH_OR_GLOB     also a dependency: restarts (repeatable)
  --refresh GLOB           refreshes the browser only (repeatable)
  --ignore GLOB            never reacts (repeatable)
  --poll [SECONDS]         look at files, wait for no events (bare: every 1 s)

how the program comes back:
  --strategy auto|resume|restart
                           restart never forks from a checkpoint (auto)
  --hoist, --no-hoist      prepare twins for files that are worked on
  --verify                 check grafts and hoisted replays in the background
  --memory-budget MB       private memory all checkpoints may hold
                           (a quarter of what is available)
  --grace SECONDS          from SIGTERM to SIGKILL (5)

when it ends or fails:
  --on-exit wait|follow    ended by itself: wait for a change, or end with its
                           code (wait for scripts, follow where the framework's
                           own reloader would)
  --on-error page|last-good
                           what serves while new code does not start (page)

output:
  --events FILE            append one JSON object a line
  --no-live-reload         leave browsers alone
  -v, --verbose            more: ignored saves, barriers; -vv: checkpoints
  -q, --quiet              only what needs you
  -h, --help               show this
  -V, --version            show the version

The same names, with dashes or underscores, are settings in [tool.refork] of
pyproject.toml, and REFORK_... variables (REFORK_GRACE=2; lists are separated
as in PATH). The command line wins, then the environment, then the file.
"""
