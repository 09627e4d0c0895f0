import { z } from 'zod';
import { EnrollmentTerms } from './enrollment.ts';
import { FirmwareVersion, HardwareRevision, ProductName, SecurityCounter, Timestamp } from './common.ts';

/** Whether a firmware success must be proven by evidence (`required`) or is believed as reported (`none`). */
export const EvidencePolicy = z.enum(['required', 'none']);

export const ImageKeyKind = z.enum(['ecdsa-p256', 'ed25519', 'rsa-2048', 'rsa-3072']);

/** The key that signs images of a product; `keyHash` is MCUboot's KEYHASH in hex. */
export const ImageKey = z.object({ kind: ImageKeyKind, publicKeyPem: z.string(), keyHash: z.string() });
export type ImageKey = z.infer<typeof ImageKey>;

/** How images of this product are laid out (MCUboot). */
export const BootProfile = z.object({
  format: z.literal('mcuboot'),
  headerSize: z.number().int().min(32).max(65_535).default(512),
  slotSize: z
    .number()
    .int()
    .min(4096)
    .max(64 * 1024 * 1024)
    .default(1_048_576),
  align: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8), z.literal(16), z.literal(32)]).default(8),
  /** The virtual chip its releases are rehearsed in, and how that boots; the usual ones when absent. */
  chip: z.string().min(1).max(32).optional(),
  strategy: z.string().min(1).max(32).optional(),
});

export const Product = z.object({
  name: ProductName,
  hardwareRevisions: z.array(HardwareRevision).min(1),
  evidence: EvidencePolicy,
  /** Absent when images are signed elsewhere. */
  imageKey: ImageKey.optional(),
  boot: BootProfile,
  minimumVersion: FirmwareVersion.optional(),
  minimumSecurityCounter: SecurityCounter,
  enrollment: EnrollmentTerms,
  createdAt: Timestamp,
});
export type Product = z.infer<typeof Product>;

export const CreateProduct = z.object({
  name: ProductName,
  hardwareRevisions: z.array(HardwareRevision).min(1).max(64).default(['rev-a']),
  evidence: EvidencePolicy.default('required'),
  imageKeyKind: ImageKeyKind.default('ecdsa-p256'),
  /** A key in a token or service instead of one made and sealed here; its kind is then what it is. */
  imageKeyReference: z
    .string()
    .max(1024)
    .regex(/^(pkcs11|kms):.+$/)
    .optional(),
  boot: BootProfile.prefault({ format: 'mcuboot' }),
});

export const SetEvidencePolicy = z.object({ evidence: EvidencePolicy, reason: z.string().min(1).max(256) });

/** A product's minimum is raised by this act alone; publishing never does. */
export const RaiseMinimum = z.object({
  version: FirmwareVersion.optional(),
  securityCounter: SecurityCounter.optional(),
  reason: z.string().min(1).max(256),
});

export const MinimumPreview = z.object({
  restricts: z.number().int(),
  /** Up to 100 of them. */
  devices: z.array(z.string()),
});

/** The release root of the installation: what a device is given in the factory step. */
export const TrustAnchors = z.object({
  tlsAnchorsPem: z.string(),
  imageKeyPem: z.string(),
  /** Every key its images may be signed with, as boot code of new devices holds them. */
  imageKeysPem: z.string().optional(),
  /** Root metadata document, signed: keys and threshold that a release manifest must meet. */
  releaseRoot: z.unknown(),
});
export type TrustAnchors = z.infer<typeof TrustAnchors>;
