// SPDX-License-Identifier: Apache-2.0
/* space.h: the space simulation, for a program that runs it. Layer: space.
 *
 *     struct scenario_errors errors;
 *     struct scenario *scenario;
 *     if (scenario_load("scenarios/harbour.yaml", &scenario, &errors) != SCENARIO_OK) {
 *         scenario_errors_print(&errors, stderr);
 *         return;
 *     }
 *     struct space_report report;
 *     if (space_run(scenario, &(struct space_run_opts){.workers = 2}, &report) == ALDIS_OK)
 *         space_report_print(&report, stdout, SPACE_TEXT);
 *     space_report_fini(&report);
 *     scenario_destroy(scenario);
 *
 * Nothing here prints by itself, reads a clock, or handles a signal. */
#ifndef SPACE_SPACE_H
#define SPACE_SPACE_H

#include <aldis/fault.h>
#include <aldis/stats.h>
#include <aldis/system.h>
#include <aldis/window.h>
#include <stdio.h>

/* ---- Scenarios ---- */

/** A scenario that has been read and checked. Read-only; may be run many times. */
struct scenario;

/** What became of loading a file. */
enum scenario_status {
    SCENARIO_OK = 0,
    SCENARIO_BAD,      /**< its content is wrong */
    SCENARIO_NO_INPUT, /**< it is missing, unreadable, or not a regular file */
    SCENARIO_NO_MEMORY,
};

#define SCENARIO_ERRORS_MAX 20
#define SCENARIO_FILES_MAX 64
#define SCENARIO_INCLUDES_MAX 16

/** One error: "12:14: stations[2].berths: found "-4", allowed: a whole number from 1 to 64". */
struct scenario_error {
    uint32_t file;         /**< 0: the file itself; else of files[], from 1 */
    uint32_t line, column; /**< from 1; line 0: about the file as a whole */
    char text[400];
};

/** Everything that is wrong with a file, in its order. */
struct scenario_errors {
    const char *path; /**< borrowed from the caller of scenario_load */
    uint32_t count;
    uint32_t more; /**< errors beyond the first SCENARIO_ERRORS_MAX */
    uint32_t file; /**< that is being read */
    uint32_t file_count;
    char files[SCENARIO_FILES_MAX][128]; /**< included ones, and settings of the command line */
    struct scenario_error items[SCENARIO_ERRORS_MAX];
};

/**
 * Read and check a scenario file. Whatever the file holds, this returns soon and uses memory in
 * proportion to it: at most 16 MiB are read, with at most 32 levels and 262,144 values.
 *
 * path:   borrowed, also by *errors.
 * Owner:  gives *out_scenario on SCENARIO_OK: end it with scenario_destroy. Else it is NULL.
 * errors: written on every return; count is 0 on SCENARIO_OK only.
 * Thread: any.          Blocks: while it reads the file; it never waits for a pipe or a device.
 */
enum scenario_status scenario_load(const char *path, struct scenario **out_scenario,
                                   struct scenario_errors *errors);

/** The same with settings: each replaces a value of the file, as "fleets.traders.count=5000". At
 *  most SCENARIO_FILES_MAX - SCENARIO_INCLUDES_MAX of them, borrowed for the call. */
enum scenario_status scenario_load_with(const char *path, const char *const *settings, size_t count,
                                        struct scenario **out_scenario,
                                        struct scenario_errors *errors);

/** The same for text in memory, which cannot include others; name stands in the errors where a path
 * would. */
enum scenario_status scenario_parse(const char *name, const char *text, size_t size,
                                    struct scenario **out_scenario, struct scenario_errors *errors);

/** A digest of all that it was read from: the file, what that includes, the settings. */
uint64_t scenario_content(const struct scenario *scenario);

/** Free it. NULL is ignored. No run may be using it. */
void scenario_destroy(struct scenario *scenario);

/** Print one line for each error, as `path:line:column: what: found ..., allowed: ...`. */
void scenario_errors_print(const struct scenario_errors *errors, FILE *out);

/** Print what may be meant otherwise, as `path:line: warning: ...`: routes that are longer than its
 *  ships come with a full tank, limits that cannot bite or that leave berths empty. Returns how
 *  many there are. */
uint32_t scenario_warnings_print(const struct scenario *scenario, const char *path, FILE *out);

/** Print what each of its limits means, as `path: limits.memory: ...`; nothing if it has none. */
void scenario_limits_print(const struct scenario *scenario, const char *path, FILE *out);

/** How long the scenario says that a run is. */
aldis_ns scenario_duration(const struct scenario *scenario);

/** The ships of all its fleets. */
uint32_t scenario_ship_count(const struct scenario *scenario);

/** Bytes of memory that a run takes when all its ships are at work, as far as can be said before: a
 *  run that they are not there for is refused. */
uint64_t scenario_bytes_needed(const struct scenario *scenario);

/** The fault plan that the scenario brings with it; NULL: none. Borrowed from the scenario. */
const aldis_fault_plan *scenario_faults(const struct scenario *scenario);

/** A fault plan in a file of its own: what stands below `faults:` in a scenario. */
struct space_faults;

/** Read and check it. Owner: gives *out_faults on SCENARIO_OK: end it with space_faults_destroy
 *  (NULL is ignored). The rest as scenario_load. */
enum scenario_status space_faults_load(const char *path, struct space_faults **out_faults,
                                       struct scenario_errors *errors);
void space_faults_destroy(struct space_faults *faults);
/** Borrowed. */
const aldis_fault_plan *space_faults_plan(const struct space_faults *faults);

/* ---- Runs ---- */

/** X(name): the states of a ship. */
#define SPACE_SHIP_STATES(X) X(idle) X(flying) X(docking) X(docked) X(trading) X(emergency)

enum space_ship_state {
#define SPACE_STATE_ENUM_(name) SHIP_##name,
    SPACE_SHIP_STATES(SPACE_STATE_ENUM_)
#undef SPACE_STATE_ENUM_
};
#define SPACE_SHIP_STATE_COUNT 6

/** How a run is going. */
struct space_progress {
    aldis_ns now_ns, until_ns; /**< of the run's clock */
    const void *run;           /**< for space_look */
};

/** A closer look, which takes longer. */
struct space_view {
    const char *scenario;                   /**< its name; borrowed */
    uint64_t handled_msgs;                  /**< since the start */
    uint64_t refused_msgs;                  /**< rejected, dropped, expired or dead */
    uint64_t dockings;                      /**< ships that reached a berth */
    uint64_t ships[SPACE_SHIP_STATE_COUNT]; /**< by state; all 0 in a live run */
};

/** Look at a run from within on_progress. false: no memory. */
bool space_look(const struct space_progress *progress, struct space_view *out_view);

/** One ship, and one station, for who watches. Names are borrowed from the scenario. */
struct space_ship_view {
    const char *fleet, *class, *state_name, *station; /**< where it is, or goes */
    uint32_t state;                                   /**< enum space_ship_state */
    uint32_t cargo_t, hold_t;                         /**< what it has, and can have */
    double place[3];                                  /**< u, as of its last look */
    double speed;                                     /**< u/s */
    double fuel;                                      /**< part of its tank */
    double credits;
    aldis_ns estimate_ns; /**< docking: the wait that its station has told it; 0: none */
    aldis_ns held_ns;     /**< held back for docking credit: until it is let in, should all other
                               ships be before it; else 0 */
    aldis_ns alarm_ns;    /**< in an emergency: since when; else 0 */
    /** In an emergency: until a tug is there, by what the rescue service has to do before; 0: it
     *  knows of no call of this ship; ALDIS_FOREVER: fuel is wanted, and there is none to be had.
     */
    aldis_ns help_ns;
    aldis_ns due_ns; /**< when it looks at itself next; ALDIS_FOREVER: it waits for others */
};

struct space_station_view {
    const char *name;
    double place[3]; /**< u */
    uint32_t berths, berths_taken, queue, queue_limit;
    uint64_t dockings;
    double wait_mean_s; /**< from a ship's first request to its permission */
    double fuel;        /**< units */
    double credits;
    bool shut; /**< its mind has closed the docks */
};

/** A hazard that lives, and a region with its weather. */
struct space_hazard_view {
    const char *kind; /**< "asteroid", ... */
    double place[3];  /**< u, now */
    double radius;    /**< u */
};

struct space_weather_view {
    const char *region, *level; /**< "low", ... */
    uint32_t severity;          /**< 0, low, to 3, extreme */
    double place[3];            /**< u */
    double radius;              /**< u */
};

/** One of the goods that a station trades. */
struct space_goods_view {
    const char *name;
    int64_t stock_t;
    double price; /**< credits a tonne, before the station's own 2 % */
};

struct space_berth_view {
    const char *state_name; /**< free, held, taken or leaving */
    uint32_t change;        /**< counts its changes of state */
    aldis_ns expected_ns;   /**< when it should change next, if it is not free */
};

/** Look at one of them from within on_progress, in virtual time. number: from 1. false: there is
 *  none of that number, or the run is live. */
bool space_ship_look(const struct space_progress *progress, uint32_t number,
                     struct space_ship_view *out);
bool space_station_look(const struct space_progress *progress, uint32_t number,
                        struct space_station_view *out);
/** A berth of a station. Numbers: from 1. */
bool space_berth_look(const struct space_progress *progress, uint32_t station, uint32_t berth,
                      struct space_berth_view *out);

/** The same of hazards that live, of regions of weather, and of a station's goods. false: there is
 *  none of that number, from 1, or the run is live. */
bool space_hazard_look(const struct space_progress *progress, uint32_t number,
                       struct space_hazard_view *out);
bool space_weather_look(const struct space_progress *progress, uint32_t number,
                        struct space_weather_view *out);
bool space_goods_look(const struct space_progress *progress, uint32_t station, uint32_t number,
                      struct space_goods_view *out);

/** The mailbox and the counts of a ship's or a station's actor. false: as above; of a ship, too, in
 *  a run without events, which keeps no ids. */
bool space_ship_status(const struct space_progress *progress, uint32_t number, aldis_status *out);
bool space_station_status(const struct space_progress *progress, uint32_t number,
                          aldis_status *out);

/** What a ship's mind is about, as "selector > sequence > dock"; "no mind", or "nothing". From
 *  within on_progress, of a run of virtual time. ship: from 1, in the order of the fleets. false:
 *  there is no such ship, or the run is live. */
bool space_mind_path(const struct space_progress *progress, uint32_t ship, char *text, size_t size);

/** What makes a run of virtual time, beside its scenario and what comes from outside: runs with
 *  equal ones are equal. */
struct space_run_facts {
    aldis_system *system;
    uint64_t seed;
    uint32_t shards;
    aldis_ns until_ns;
    uint64_t content; /**< of the scenario */
};

/** How to run a scenario. Zeroes are the defaults. */
struct space_run_opts {
    bool has_seed; /**< take seed instead of the scenario's */
    uint64_t seed;
    uint32_t workers;   /**< 0: the cores. Never shows in a result of virtual time */
    uint32_t shards;    /**< 0: the library's default */
    bool live;          /**< wall clock instead of virtual time: a simulated hour takes an hour */
    aldis_ns until_ns;  /**< of the run's clock; 0: the scenario's duration */
    uint64_t bytes_max; /**< of memory; 0: what the machine has available, and this
                              process's control group allows */
    bool paced;         /**< virtual time follows the wall clock, as pace says */
    aldis_pace_opts pace;
    bool check_balance; /**< look after every window whether goods, fuel and money are all there;
                             else after every piece (live: at the end). If not, the run ends */
    bool witness;       /**< with check_balance, not live: take note of every message, so that those
                             that made something missing can be named */
    FILE *events;       /**< what happened goes there as JSON lines; not live. NULL: nowhere */
    /** What goes wrong, in place of the scenario's own plan; not live. Borrowed for the run. NULL:
     *  the scenario's. (A plan without rules and faults: nothing.) */
    const aldis_fault_plan *faults;
    bool named; /**< register each ship as ship-1, ship-2, ... in the order of the fleets */

    aldis_ns piece_ns; /**< of the run's clock: how often on_progress is called; 0: a hundredth
                             of the run. The run print does not depend on it */
    /** Called on the calling thread before the run begins and then at every piece of it, at points
     *  that do not depend on whether it is set (live: five times a second). false ends the run.
     *  May be NULL. */
    bool (*on_progress)(void *arg, const struct space_progress *progress);
    /** Called with the system when it has been made, and with NULL before it is destroyed: between
     *  the two aldis_system_halt(system) ends the run, from a signal handler too. May be NULL. */
    void (*on_system)(void *arg, aldis_system *system);
    /** Called when all actors have been spawned and none has run, and again when the run is over
     *  and none has been stopped: what a watcher of the run is to see lies between. May be NULL. */
    void (*on_begin)(void *arg, const struct space_run_facts *facts);
    void (*on_end)(void *arg, const struct space_run_facts *facts, aldis_run_end end_reason);
    /** Called after each window between the two, before its balance is looked at; as
     *  aldis_system_on_window, which a run keeps for itself. Not live. May be NULL. */
    aldis_window_fn on_window;
    void *arg; /**< for all of them */
};

/** Of many times: percentiles are exact to 1.6 % (upwards), the rest exactly. All 0: none. */
struct space_times {
    uint64_t count;
    aldis_ns p50_ns, p99_ns, max_ns;
};

/** One station at the end. */
struct space_station_report {
    char name[64];
    uint64_t dockings;
    aldis_ns wait_mean_ns; /**< from a ship's first request to its permission */
};

/** What the limits of the scenario did. */
struct space_limits_report {
    bool given;                 /**< it has any */
    bool mailboxes;             /**< of these */
    bool faults;                /**< a fault plan acted: what it lost counts as dropped, too */
    uint64_t dropped, rejected; /**< messages, as in the stats, without the runtime's own */
    uint64_t shed;              /**< of the dropped: had waited too long */
    uint64_t parked;            /**< times that a sender had to wait for room */
    bool rate;                  /**< stations take in requests at a rate */
    bool credit;                /**< ships need credit to ask for a berth */
    struct space_times holds;   /**< how long they waited for it */
    uint64_t over_rate;         /**< requests that were refused for it */
    uint64_t memory_max;        /**< bytes; 0: no budget */
    uint64_t memory_peak;       /**< bytes */
    uint64_t memory_refusals;   /**< times that one over its share was refused more */
};

/** What a run did. */
struct space_report {
    char scenario[64];
    uint64_t seed;
    uint32_t workers, shards;
    bool live, paced;
    aldis_pace_report pace; /**< of a paced run: how it kept up */
    uint64_t run_print;     /**< 0 when live */
    aldis_ns virtual_ns;    /**< what the run's clock shows at the end */
    double wall_s;          /**< 0: for the caller to fill in, since space reads no clock */
    aldis_run_end end_reason;
    uint64_t bytes_needed, bytes_at_hand; /**< estimated before the start */
    uint64_t bytes_peak; /**< the most memory of the process; 0: for the caller to fill in */
    aldis_stats stats;   /**< at the end of the run, before the actors were stopped */
    aldis_audit audit;
    uint64_t ships[SPACE_SHIP_STATE_COUNT]; /**< by state */
    bool lost;                              /**< goods, fuel or credits are not what they were */
    char balance[160];                      /**< "balanced", or what is not, with its figures */
    char *evidence; /**< lost: whose things have changed since all was there (when every window is
                         looked at), what messages those have handled (with a witness), and who
                         offered, took and settled the trades that were made since, as JSON lines;
                         else NULL */
    uint64_t dockings;
    uint64_t refusals;              /**< requests answered with a refusal */
    uint64_t near_misses;           /**< that traffic control has named */
    uint64_t near_misses_left_out;  /**< courses and pairs that it had no room for */
    struct space_times waits;       /**< from a ship's first request to its permission */
    struct space_times wait_errors; /**< of those told to wait: how far off that was */
    struct space_station_report *stations;
    uint32_t station_count;
    struct space_limits_report limits;
};

enum space_report_format { SPACE_TEXT, SPACE_JSON };

/**
 * Run a scenario to its end, or until it is halted.
 *
 * scenario: borrowed.          opts: borrowed; NULL: all defaults.
 * out_report: written on every return; holds what there is, also when the run was cut short.
 *           End it with space_report_fini. Whether audit.balanced holds is for the caller to see.
 * Thread: any.          Blocks: for the whole run.
 * Errors: as aldis_system_create, aldis_spawn and aldis_system_run; see aldis_error_last.
 * ALDIS_ENOMEM
 *         before anything is made, if the memory at hand would not do: out_report->bytes_needed.
 */
aldis_err space_run(const struct scenario *scenario, const struct space_run_opts *opts,
                    struct space_report *out_report);

/** "until", "idle", "halted", "loop" or "lag". Static. */
const char *space_end_name(aldis_run_end end_reason);

/**
 * Print a report: for people, or as one JSON object on one line with run_print (null when live,
 * else 16 hex digits), seed, workers, shards, virtual_ns, wall_s, scenario, ships (by state),
 * dockings, refusals, near_misses, near_misses_left_out, waits and estimates_off_by (count, p50_ns,
 * p99_ns, max_ns), stations (name, dockings, wait_mean_ns), messages (by type), audit, balance
 * (null: not looked at), pace (of a paced run), end_reason, bytes_needed and bytes_peak.
 * Errors: ALDIS_EIO.
 */
aldis_err space_report_print(const struct space_report *report, FILE *out,
                             enum space_report_format format);

void space_report_fini(struct space_report *report);

#endif
