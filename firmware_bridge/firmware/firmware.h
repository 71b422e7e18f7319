/* The firmware of one device, in rounds: bytes from the port go to the link or to the benchmark's
 * text, and work is done in pieces. */
#ifndef SELVEDGE_FIRMWARE_H
#define SELVEDGE_FIRMWARE_H

#include "port/port.h"

void sv_firmware_start(const port_about *port);

/* Take what came and do what is due; 0: there was nothing to do. */
int sv_firmware_round(void);

#endif
