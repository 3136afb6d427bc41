"""The same, with calls that need not wait for each other side by side in threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import handler as one_by_one

threads = ThreadPoolExecutor(3)


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """One push."""
    app = event["detail"]["repository-name"]
    digest = event["detail"]["image-digest"]
    # The stack has the app's name, so that it can be read beside the configuration.
    reading_image = threads.submit(one_by_one.read_image, app, digest)
    reading_stack = threads.submit(one_by_one.read_stack, app)
    configuration = one_by_one.read_configuration(app)
    image, stack = reading_image.result(), reading_stack.result()
    tag = f"production_{one_by_one.commit_of(image)}"
    writing_state = threads.submit(one_by_one.write_state, app, digest, tag)
    one_by_one.put_tag(app, image, tag)
    writing_state.result()
    parameter = configuration.get("parameter", "ProductionTag")
    one_by_one.update_stack(stack, parameter, tag, event["id"])
    return {"outcome": "promoted", "tag": tag}
