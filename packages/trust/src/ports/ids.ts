/** Owner of rows; the embedded default has one, `default`. Every stored row carries it. */
export type Tenant = string;

/** Registry name of a device, AWS thing name at once: 1-128 of `[a-zA-Z0-9:_-]`. */
export type DeviceId = string;

/** Lower-case hex SHA-256 of a certificate's DER; the AWS certificateId. */
export type Fingerprint = string;

/** Lower-case hex SHA-256. */
export type Sha256Hex = string;

export const DEFAULT_TENANT: Tenant = 'default';
