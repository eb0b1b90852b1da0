// The port's clock, from the emulated machine's 10 MHz timer and its count of executed instructions.

#include <stdint.h>

#include "py/mphal.h"

#define TIMER_LOW (*(volatile uint32_t *)0x0200bff8)
#define TIMER_HIGH (*(volatile uint32_t *)0x0200bffc)
#define TIMER_HZ 10000000

static uint64_t timer(void) {
    uint32_t high, low;
    do {
        high = TIMER_HIGH;
        low = TIMER_LOW;
    } while (high != TIMER_HIGH);
    return (uint64_t)high << 32 | low;
}

mp_uint_t mp_hal_ticks_us(void) {
    return timer() / (TIMER_HZ / 1000000);
}

mp_uint_t mp_hal_ticks_ms(void) {
    return timer() / (TIMER_HZ / 1000);
}

uint64_t mp_hal_time_ns(void) {
    return timer() * (1000000000 / TIMER_HZ);
}

// time.ticks_cpu() counts instructions, to the last one.
mp_uint_t mp_hal_ticks_cpu(void) {
    mp_uint_t instructions;
    __asm volatile ("csrr %0, minstret" : "=r" (instructions));
    return instructions;
}

void mp_hal_delay_us(mp_uint_t duration) {
    uint64_t end = timer() + (uint64_t)duration * (TIMER_HZ / 1000000);
    while (timer() < end) {
    }
}

void mp_hal_delay_ms(mp_uint_t duration) {
    while (duration--) {
        mp_hal_delay_us(1000);
    }
}
