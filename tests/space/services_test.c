// SPDX-License-Identifier: Apache-2.0
/* services_test.c: hazards, weather, rescue and the ledger. */
#include "stage.h"
#include "tiny.h"

TEST(the_ledger_counts_waits_and_refusals)
{
    stage_open(tiny_scenario(), 1);
    CHECK_OK(aldis_send(stage.system, stage.chart.ledger, ship_berthed, .station = 1,
                        .wait_ns = 7 * ALDIS_SECOND, .estimate_ns = 5 * ALDIS_SECOND));
    CHECK_OK(aldis_signal(stage.system, stage.chart.ledger, ship_refused));
    stage_run(2 * ALDIS_SECOND);
    stage_close();
    CHECK_UINT(stage.result.refusals, 1);
    CHECK_UINT(stage.result.waits.count, 1);
    CHECK_INT(stage.result.waits.max_ns, 7 * ALDIS_SECOND);
    CHECK_INT(stage.result.wait_errors.max_ns, 2 * ALDIS_SECOND);
}
