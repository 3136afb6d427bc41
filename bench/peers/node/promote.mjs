// The calls of a push, with the AWS SDK for JavaScript.

import { CloudFormationClient, DescribeStacksCommand, UpdateStackCommand } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { BatchGetImageCommand, ECRClient, PutImageCommand } from '@aws-sdk/client-ecr';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';

const cloudformation = new CloudFormationClient({});
const dynamodb = new DynamoDBClient({});
const ecr = new ECRClient({});
const ssm = new SSMClient({});

export async function readImage(repository, digest) {
    const answer = await ecr.send(new BatchGetImageCommand({
        repositoryName: repository,
        imageIds: [{ imageDigest: digest }],
        acceptedMediaTypes: [
            'application/vnd.docker.distribution.manifest.v2+json',
            'application/vnd.docker.distribution.manifest.list.v2+json',
            'application/vnd.oci.image.manifest.v1+json',
            'application/vnd.oci.image.index.v1+json',
        ],
    }));
    return answer.images[0];
}

export async function readStack(name) {
    const answer = await cloudformation.send(new DescribeStacksCommand({ StackName: name }));
    return answer.Stacks[0];
}

export async function readConfiguration(app) {
    const answer = await ssm.send(new GetParameterCommand({ Name: `/ecr-promoter/apps/${app}` }));
    return JSON.parse(answer.Parameter.Value);
}

export function commitOf(image) {
    return JSON.parse(image.imageManifest).annotations['org.opencontainers.image.revision'];
}

export async function putTag(repository, image, tag) {
    try {
        await ecr.send(new PutImageCommand({
            repositoryName: repository,
            imageManifest: image.imageManifest,
            imageManifestMediaType: image.imageManifestMediaType,
            imageDigest: image.imageId.imageDigest,
            imageTag: tag,
        }));
    } catch (error) {
        if (error.name !== 'ImageAlreadyExistsException') throw error;
    }
}

export async function updateStack(stack, parameter, tag, token) {
    const others = stack.Parameters.map((it) => it.ParameterKey).filter((key) => key !== parameter);
    await cloudformation.send(new UpdateStackCommand({
        StackName: stack.StackName,
        UsePreviousTemplate: true,
        Parameters: [
            { ParameterKey: parameter, ParameterValue: tag },
            ...others.map((key) => ({ ParameterKey: key, UsePreviousValue: true })),
        ],
        Capabilities: stack.Capabilities,
        ClientRequestToken: token,
    }));
}

export async function writeState(app, digest, tag) {
    await dynamodb.send(new PutItemCommand({
        TableName: 'state',
        Item: { app: { S: app }, item: { S: 'state' }, digest: { S: digest }, tag: { S: tag } },
    }));
}
