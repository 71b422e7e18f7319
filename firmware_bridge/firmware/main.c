#include "firmware.h"

int main(void) {
    sv_firmware_start(port_init());
    for (;;) {
        port_kick_watchdog();
        if (!sv_firmware_round()) {
            port_idle();
        }
    }
}
