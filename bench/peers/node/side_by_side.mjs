// The same, with calls that need not wait for each other side by side.

import * as aws from './promote.mjs';
import { run } from './runtime.mjs';

await run(async (event) => {
    const app = event.detail['repository-name'];
    const digest = event.detail['image-digest'];
    // The stack has the app's name, so that it can be read beside the configuration.
    const [image, configuration, stack] = await Promise.all([
        aws.readImage(app, digest),
        aws.readConfiguration(app),
        aws.readStack(app),
    ]);
    const tag = `production_${aws.commitOf(image)}`;
    await Promise.all([aws.putTag(app, image, tag), aws.writeState(app, digest, tag)]);
    await aws.updateStack(stack, configuration.parameter ?? 'ProductionTag', tag, event.id);
    return { outcome: 'promoted', tag };
});
