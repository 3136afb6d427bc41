// A push becomes an update of the stack, as a function in Node.js usually does it: call after call.

import * as aws from './promote.mjs';
import { run } from './runtime.mjs';

await run(async (event) => {
    const app = event.detail['repository-name'];
    const digest = event.detail['image-digest'];
    const image = await aws.readImage(app, digest);
    const configuration = await aws.readConfiguration(app);
    const stack = await aws.readStack(configuration.stack);
    const tag = `production_${aws.commitOf(image)}`;
    await aws.putTag(app, image, tag);
    await aws.updateStack(stack, configuration.parameter ?? 'ProductionTag', tag, event.id);
    await aws.writeState(app, digest, tag);
    return { outcome: 'promoted', tag };
});
