import { describe, expect, it } from 'vitest';
import {
  AWS_IOT_REQUESTS,
  type AwsIotRequest,
  awsIotTopic,
  awsReplyTopics,
  jobsNotifyNextTopic,
  jobsNotifyTopic,
  parseAwsIotTopic,
  shadowTopic,
} from './index.ts';

const cases: readonly { topic: string; request: AwsIotRequest; accepted: string; rejected: string }[] = [
  {
    topic: '$aws/certificates/create/cbor',
    request: { kind: 'create-keys', format: 'cbor' },
    accepted: '$aws/certificates/create/cbor/accepted',
    rejected: '$aws/certificates/create/cbor/rejected',
  },
  {
    topic: '$aws/certificates/create-from-csr/json',
    request: { kind: 'create-from-csr', format: 'json' },
    accepted: '$aws/certificates/create-from-csr/json/accepted',
    rejected: '$aws/certificates/create-from-csr/json/rejected',
  },
  {
    topic: '$aws/provisioning-templates/lamp_1/provision/json',
    request: { kind: 'register-thing', template: 'lamp_1', format: 'json' },
    accepted: '$aws/provisioning-templates/lamp_1/provision/json/accepted',
    rejected: '$aws/provisioning-templates/lamp_1/provision/json/rejected',
  },
  {
    topic: '$aws/things/a:b/jobs/get',
    request: { kind: 'jobs-pending', thing: 'a:b' },
    accepted: '$aws/things/a:b/jobs/get/accepted',
    rejected: '$aws/things/a:b/jobs/get/rejected',
  },
  {
    topic: '$aws/things/d/jobs/start-next',
    request: { kind: 'jobs-start-next', thing: 'd' },
    accepted: '$aws/things/d/jobs/start-next/accepted',
    rejected: '$aws/things/d/jobs/start-next/rejected',
  },
  {
    topic: '$aws/things/d/jobs/$next/get',
    request: { kind: 'job-describe', thing: 'd', job: '$next' },
    accepted: '$aws/things/d/jobs/$next/get/accepted',
    rejected: '$aws/things/d/jobs/$next/get/rejected',
  },
  {
    topic: '$aws/things/d/jobs/j-1/update',
    request: { kind: 'job-update', thing: 'd', job: 'j-1' },
    accepted: '$aws/things/d/jobs/j-1/update/accepted',
    rejected: '$aws/things/d/jobs/j-1/update/rejected',
  },
  {
    topic: '$aws/things/d/streams/s/describe/json',
    request: { kind: 'stream-describe', thing: 'd', stream: 's', format: 'json' },
    accepted: '$aws/things/d/streams/s/description/json',
    rejected: '$aws/things/d/streams/s/rejected/json',
  },
  {
    topic: '$aws/things/d/streams/s/get/cbor',
    request: { kind: 'stream-get', thing: 'd', stream: 's', format: 'cbor' },
    accepted: '$aws/things/d/streams/s/data/cbor',
    rejected: '$aws/things/d/streams/s/rejected/cbor',
  },
  ...(['get', 'update', 'delete'] as const).map((verb) => ({
    topic: `$aws/things/d/shadow/${verb}`,
    request: { kind: `shadow-${verb}`, thing: 'd' } as const,
    accepted: `$aws/things/d/shadow/${verb}/accepted`,
    rejected: `$aws/things/d/shadow/${verb}/rejected`,
  })),
  ...(['get', 'update', 'delete'] as const).map((verb) => ({
    topic: `$aws/things/d/shadow/name/$n:1/${verb}`,
    request: { kind: `named-shadow-${verb}`, thing: 'd', shadow: '$n:1' } as const,
    accepted: `$aws/things/d/shadow/name/$n:1/${verb}/accepted`,
    rejected: `$aws/things/d/shadow/name/$n:1/${verb}/rejected`,
  })),
];

describe('reserved topics', () => {
  it('has a case here for every request', () => {
    expect(cases.map((each) => each.request.kind)).toEqual(AWS_IOT_REQUESTS.map((row) => row.kind));
  });

  it.each(cases)('reads and writes $topic', ({ topic, request, accepted, rejected }) => {
    expect(parseAwsIotTopic(topic)).toEqual(request);
    expect(awsIotTopic(request)).toBe(topic);
    expect(awsReplyTopics(request)).toEqual({ accepted, rejected });
  });

  it.each([
    '',
    '$aws',
    '$aws/certificates/create/xml',
    '$aws/certificates/create/json/accepted',
    '$aws/provisioning-templates//provision/json',
    `$aws/provisioning-templates/${'t'.repeat(37)}/provision/json`,
    '$aws/things//jobs/get',
    '$aws/things/a b/jobs/get',
    '$aws/things/a/jobs/get/',
    '$aws/things/+/jobs/get',
    '$aws/things/a/jobs/$other/get',
    `$aws/things/a/jobs/${'j'.repeat(65)}/get`,
    '$aws/things/a/jobs/notify',
    '$aws/things/a/streams/s/data/json',
    '$aws/things/a/streams/s/get/JSON',
    '$aws/things/a/shadow/get/accepted',
    '$aws/things/a/shadow/update/delta',
    '$aws/things/a/shadow/name//get',
    '$aws/things/a/shadow/name/get',
    '$aws/things/a/shadow/name/a.b/get',
    `$aws/things/a/shadow/name/${'n'.repeat(65)}/get`,
    'aws/things/a/jobs/get',
  ])('names no request: %j', (topic) => {
    expect(parseAwsIotTopic(topic)).toBeUndefined();
  });

  it('names the topics a device is told on', () => {
    expect(jobsNotifyTopic('d')).toBe('$aws/things/d/jobs/notify');
    expect(jobsNotifyNextTopic('d')).toBe('$aws/things/d/jobs/notify-next');
    expect(shadowTopic('d', undefined, 'update/delta')).toBe('$aws/things/d/shadow/update/delta');
    expect(shadowTopic('d', 'n', 'update/documents')).toBe('$aws/things/d/shadow/name/n/update/documents');
  });
});
