// The team of threads: every task runs once, also when teams are nested in user threads or used after fork().
#include <atomic>
#include <thread>
#include <vector>

#include "check.hpp"
#include "lacemaker/threads.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

bool runs_every_task(lacemaker::Team& team, int n) {
    std::vector<std::atomic<int>> calls(n);
    team.run(n, [&](int k) { ++calls[k]; });
    for (auto& c : calls)
        if (c != 1) return false;
    return true;
}

}  // namespace

int main() {
    lacemaker::Team team;
    for (int round = 0; round < 200; ++round)
        for (int n : {1, 2, 5, 3}) CHECK(runs_every_task(team, n));
    team.run(0, [](int) {});
    std::atomic<int> good{0};
    std::vector<std::thread> users;
    for (int k = 0; k < 4; ++k)
        users.emplace_back([&] {
            lacemaker::Team own;
            for (int round = 0; round < 50; ++round) good += runs_every_task(own, 3);
        });
    for (std::thread& user : users) user.join();
    CHECK(good == 200);
#if defined(__unix__) || defined(__APPLE__)
    const pid_t child = fork();
    if (child == 0) _exit(runs_every_task(team, 3) ? 0 : 1);
    int status = 1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(runs_every_task(team, 3));
#endif
    return check::finish();
}
