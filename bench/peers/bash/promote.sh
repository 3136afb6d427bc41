#!/usr/bin/env bash
# A push becomes an update of the stack, by the AWS CLI: promote.sh <app> <digest>
set -euo pipefail
# The benchmark's share of a processor: only where it is asked for.
[ -z "${BENCH_DOOR:-}" ] || echo $$ >"$BENCH_DOOR"
app=$1
digest=$2

manifest=$(aws ecr batch-get-image --repository-name "$app" --image-ids "imageDigest=$digest" \
    --accepted-media-types application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.index.v1+json \
    --query 'images[0].imageManifest' --output text)
commit=$(sed -n 's/.*"org.opencontainers.image.revision": *"\([0-9a-f]*\)".*/\1/p' <<<"$manifest")
stack=$(aws ssm get-parameter --name "/ecr-promoter/apps/$app" --query Parameter.Value --output text |
    sed -n 's/.*"stack": *"\([^"]*\)".*/\1/p')
others=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query 'Stacks[0].Parameters[?ParameterKey!=`ProductionTag`].ParameterKey')
tag=production_$commit

aws ecr put-image --repository-name "$app" --image-manifest "$manifest" \
    --image-manifest-media-type application/vnd.oci.image.manifest.v1+json --image-tag "$tag" >/dev/null
parameters=("ParameterKey=ProductionTag,ParameterValue=$tag")
for key in $others; do
    parameters+=("ParameterKey=$key,UsePreviousValue=true")
done
aws cloudformation update-stack --stack-name "$stack" --use-previous-template \
    --parameters "${parameters[@]}" --capabilities CAPABILITY_IAM >/dev/null
aws dynamodb put-item --table-name state \
    --item "{\"app\":{\"S\":\"$app\"},\"item\":{\"S\":\"state\"},\"digest\":{\"S\":\"$digest\"},\"tag\":{\"S\":\"$tag\"}}"
