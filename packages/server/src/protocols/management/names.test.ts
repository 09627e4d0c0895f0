import { HardwareRevision, ProductName } from '@holdfast/api';
import { TEMPLATE_NAME } from '@holdfast/wire/aws-iot';
import { MANIFEST_NAME } from '@holdfast/wire/manifest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** Texts of the characters that decide, at the lengths that do. */
const names = fc.oneof(
  fc.stringMatching(/^[-_.a-zA-Z0-9]{0,2}$/),
  fc.stringMatching(/^[-_.a-zA-Z0-9]{34,38}$/),
  fc.stringMatching(/^[-_.a-zA-Z0-9]{62,66}$/),
  fc.string({ maxLength: 3 }),
);

describe('names at the API', () => {
  it('of products are those that templates and manifests can have', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(ProductName.safeParse(name).success).toBe(TEMPLATE_NAME.test(name) && MANIFEST_NAME.test(name));
      }),
    );
  });

  it('of hardware revisions are those that manifests can have', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(HardwareRevision.safeParse(name).success).toBe(MANIFEST_NAME.test(name));
      }),
    );
  });
});
