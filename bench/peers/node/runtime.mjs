// The loop around a handler, in the place of AWS's runtime client for Node.js, which has a part in C++ that would
// have to be compiled.

import http from 'node:http';

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
    return new Promise((resolve, reject) => {
        const headers = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
        const request = http.request({ agent, hostname, port, method, headers, path: `/2018-06-01/runtime/${path}` }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(parts).toString() }));
            answer.on('error', reject);
        });
        request.on('error', reject);
        request.end(body);
    });
}

export async function run(handler) {
    for (;;) {
        const next = await call('GET', 'invocation/next');
        const id = next.headers['lambda-runtime-aws-request-id'];
        try {
            const answer = await handler(JSON.parse(next.body));
            await call('POST', `invocation/${id}/response`, JSON.stringify(answer));
        } catch (error) {
            const failure = { errorType: error.name, errorMessage: error.message };
            await call('POST', `invocation/${id}/error`, JSON.stringify(failure));
        }
    }
}
