/* SPDX-License-Identifier: MIT
 *
 * Calls what no object defines. */
int nobody_has_this(void);
int bpfaot_image(void);
int bpfaot_image(void) {
  return nobody_has_this();
}
