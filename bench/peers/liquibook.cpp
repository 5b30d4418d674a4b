// SPDX-License-Identifier: AGPL-3.0-only
// Liquibook's order book without depth on a stream of operations. Prints JSON.
// It knows no accounts, so that it trades an account with itself where the others stop.
#include <book/order.h>
#include <book/order_book.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

namespace lb = liquibook::book;

class BenchOrder : public lb::Order {
public:
    BenchOrder(bool is_buy, bool is_immediate, lb::Price price, lb::Quantity lots)
        : is_buy_(is_buy), is_immediate_(is_immediate), price_(price), lots_(lots) {}
    bool is_buy() const override { return is_buy_; }
    lb::Price price() const override { return price_; }
    lb::Quantity order_qty() const override { return lots_; }
    bool immediate_or_cancel() const override { return is_immediate_; }

private:
    bool is_buy_, is_immediate_;
    lb::Price price_;
    lb::Quantity lots_;
};

struct Fill {
    BenchOrder *taker, *maker;
    lb::Quantity lots;
};

class BenchBook : public lb::OrderBook<BenchOrder *> {
public:
    std::vector<Fill> fills;

protected:
    void on_fill(BenchOrder *const &taker, BenchOrder *const &maker, lb::Quantity lots, lb::Price, bool, bool) override {
        fills.push_back({taker, maker, lots});
    }
};

int main(int, char **arguments) {
    FILE *file = std::fopen(arguments[1], "r");
    if (!file) return 1;
    struct Step {
        bool is_cancel;
        BenchOrder *order;
    };
    constexpr std::size_t slice = 1000;  // orders are made a slice at a time, as they would come in: that is not timed
    std::vector<Step> steps;
    std::vector<std::unique_ptr<BenchOrder>> orders;
    char kind[16];
    unsigned long number, account, price, lots;
    int sells;
    BenchBook book;
    std::size_t count = 0;
    double seconds = 0;
    for (bool more = true; more; steps.clear()) {
        while (steps.size() < slice) {
            more = std::fscanf(file, "%15s %lu %lu %d %lu %lu", kind, &number, &account, &sells, &price, &lots) == 6;
            if (!more) break;
            if (orders.size() <= number) orders.resize(number + 1);
            const bool is_cancel = !std::strcmp(kind, "cancel");
            if (!is_cancel)
                orders[number] = std::make_unique<BenchOrder>(!sells, !std::strcmp(kind, "take"), price, lots);
            steps.push_back({is_cancel, orders[number].get()});
        }
        const clock_t started = std::clock();
        for (const Step &step : steps) {
            if (step.is_cancel)
                book.cancel(step.order);
            else
                book.add(
                    step.order, step.order->immediate_or_cancel() ? lb::oc_immediate_or_cancel : lb::oc_no_conditions);
        }
        seconds += double(std::clock() - started) / CLOCKS_PER_SEC;
        count += steps.size();
    }
    std::fclose(file);
    std::printf("{\"per_second\": %f, \"fills\": %zu}", count / seconds, book.fills.size());
}
