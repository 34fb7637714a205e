"""The image of the wine model: built from nothing, unchanged, after an edit of its script; and its size."""

import json
import shutil
import tempfile
import time
from pathlib import Path

import amlsdk


def main() -> dict:
    """Measure in a temporary folder; seconds and megabytes."""
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    wine = load_wine(as_frame=True)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(wine.data, wine.target)
    with tempfile.TemporaryDirectory(prefix="bench-image-") as name:
        folder = Path(name)
        with amlsdk.connect(folder / "workspace") as workspace:
            model = workspace.models.create("wine", tree)
            manifest = model.create_manifest("wine", sample=wine.data.head(3))
            # The same script, as a file of the user's that can be edited.
            app = manifest.download(folder / "app")
            script = app / manifest.record.script
            shutil.copy(script, folder / "score.py")
            sample = wine.data.head(3).to_numpy()
            first = model.create_manifest("edited", scoring=folder / "score.py", sample=sample)
            results = measure(first, folder)
            with (folder / "score.py").open("a") as file:
                file.write("\n# edited\n")
            second = model.create_manifest("edited", scoring=folder / "score.py", sample=sample)
            results["edited_s"], edited = timed(second.build_image)
            assert edited.digest != results["digest"]
            image = edited
            results["save_s"], path = timed(image.save, folder / "image.tar")
            results["archive_mb"] = round(path.stat().st_size / 1e6, 1)
    return results


def measure(manifest, folder):
    # What may be lost at any time is lost: no layer is known.
    shutil.rmtree(folder / "workspace" / "cache" / "images", ignore_errors=True)
    build_s, image = timed(manifest.build_image)
    again_s, again = timed(manifest.build_image)
    assert again.digest == image.digest
    layers = {layer.kind: round(layer.unpacked_bytes / 1e6, 1) for layer in image.record.layers}
    stored = {layer.kind: round(layer.size_bytes / 1e6, 1) for layer in image.record.layers}
    return {
        "build_s": build_s,
        "again_s": again_s,
        "same_digest": again.digest == image.digest,
        "digest": image.digest,
        "stored_mb": round(image.size_bytes / 1e6, 1),
        "unpacked_mb": round(image.unpacked_bytes / 1e6, 1),
        "packages": len(manifest.dependencies),
        "packages_mb": layers["dependencies"],
        "unpacked_by_layer_mb": layers,
        "stored_by_layer_mb": stored,
    }


def timed(function, *arguments):
    before = time.perf_counter()
    result = function(*arguments)
    return round(time.perf_counter() - before, 3), result


if __name__ == "__main__":
    print(json.dumps(main()))
