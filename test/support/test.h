/* Everything that a test program needs, CMocka and what must come before it included. */
#ifndef TEST_SUPPORT_TEST_H
#define TEST_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/account.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/names.h"
#include "support/pattern.h"
#include "support/process.h"
#include "support/watchdog.h"

#endif
