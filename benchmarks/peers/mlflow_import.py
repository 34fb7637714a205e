"""How long `import mlflow` takes in a new process."""

from importlib.metadata import version

from timing import fresh_process_seconds, report

if __name__ == "__main__":
    report({"import_s": fresh_process_seconds("import mlflow", 5), "version": version("mlflow")})
