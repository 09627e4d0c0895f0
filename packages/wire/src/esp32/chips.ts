/** What the boot code of a chip can do; fuse widths from espefuse 5 efuse_defs. */
export interface EspChip {
  readonly id: number;
  readonly name: string;
  /** Signature blocks its ROM reads. */
  readonly signatureBlocks: 1 | 3;
  /** Bits of the eFuse field that counts secure versions, one a bit: the last version it can demand. */
  readonly secureVersionBits: number;
}

const row = (id: number, name: string, secureVersionBits = 16, signatureBlocks: 1 | 3 = 3): EspChip => ({
  id,
  name,
  signatureBlocks,
  secureVersionBits,
});

/** @see ESP-IDF components/bootloader_support/include/esp_app_format.h, esp_chip_id_t */
export const ESP_CHIP_TABLE: readonly EspChip[] = [
  row(0x00, 'ESP32', 32, 1),
  row(0x02, 'ESP32-S2'),
  row(0x05, 'ESP32-C3'),
  row(0x09, 'ESP32-S3'),
  row(0x0c, 'ESP32-C2', 4, 1),
  row(0x0d, 'ESP32-C6'),
  row(0x10, 'ESP32-H2'),
  row(0x12, 'ESP32-P4'),
  row(0x14, 'ESP32-C61'),
  row(0x17, 'ESP32-C5', 9),
  row(0x19, 'ESP32-H21'),
  row(0x1c, 'ESP32-H4'),
  row(0x20, 'ESP32-S31'),
];

/** Names by the id in an image header. */
export const ESP_CHIPS: ReadonlyMap<number, string> = new Map(ESP_CHIP_TABLE.map(({ id, name }) => [id, name]));

/** The chip of a name, whatever its case and hyphens; undefined for an unknown one. */
export function findEspChip(name: string): EspChip | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll('-', '');
  return ESP_CHIP_TABLE.find((chip) => plain(chip.name) === plain(name));
}
