import { describe, expect, it } from 'vitest';
import { parseS3Address } from './s3-address.ts';

const AMAZON = { endpoint: undefined, region: undefined, pathStyle: false };

describe('the address of a bucket', () => {
  it.each([
    ['s3://firmware', { ...AMAZON, bucket: 'firmware', prefix: '' }],
    ['s3://firmware/', { ...AMAZON, bucket: 'firmware', prefix: '' }],
    ['s3://firmware/fleet/a', { ...AMAZON, bucket: 'firmware', prefix: 'fleet/a/' }],
    ['s3://firmware?region=eu-central-1', { ...AMAZON, bucket: 'firmware', prefix: '', region: 'eu-central-1' }],
    [
      's3://firmware/a/?endpoint=https://store.example:9000',
      { bucket: 'firmware', prefix: 'a/', endpoint: 'https://store.example:9000/', region: undefined, pathStyle: true },
    ],
    [
      's3://firmware?endpoint=http://127.0.0.1:9000',
      { bucket: 'firmware', prefix: '', endpoint: 'http://127.0.0.1:9000/', region: undefined, pathStyle: true },
    ],
  ])('%s is read', (text, address) => {
    expect(parseS3Address(text)).toEqual(address);
  });

  it.each([
    ['not an s3 address', 'https://firmware'],
    ['not an s3 address', 'firmware'],
    ['host', 's3://key:secret@firmware'],
    ['host', 's3://firmware:9000'],
    ['bucket', 's3://a'],
    ['bucket', 's3://under_score'],
    ['prefix', 's3://firmware/a//b'],
    ['prefix', 's3://firmware/%2e%2e%2fother'],
    ['option', 's3://firmware?secret=1'],
    ['option', 's3://firmware?region=a&region=b'],
    ['region', 's3://firmware?region=EU central'],
    ['endpoint', 's3://firmware?endpoint=http://store.example'],
    ['endpoint', 's3://firmware?endpoint=https://key:secret@store.example'],
    ['endpoint', 's3://firmware?endpoint=file:///etc/passwd'],
  ])('is refused for its %s: %s', (part, text) => {
    expect(() => parseS3Address(text)).toThrowError(
      expect.objectContaining({ code: 'server.bad_config', details: { field: 'blobs', part } }),
    );
  });
});
